"""Snapshots: save and load a kernel's whole state."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import stat
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from chaojiyuyan_devserver.__main__ import main
from chaojiyuyan_devserver._catalog_files import load_builtin
from chaojiyuyan_devserver._service import KernelService
from chaojiyuyan_devserver._store.queries import find_job
from chaojiyuyan_devserver._store.snapshots import SnapshotError
from chaojiyuyan_devserver.kernel import Catalog, Order, Result, Rules, State

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

    from chaojiyuyan_devserver.testing import LocalKernel

ECHO = {"capability_key": "test.echo.v1", "input_payload": {"a": 1}}
NOBODY = "http://127.0.0.1:9/"


def make_scene(kernel: LocalKernel, client: httpx.Client) -> dict[str, str]:
    """Create jobs in several states, a pending webhook and a second agent; return the job ids."""
    kernel.configure_webhook(NOBODY, "s3cret")
    client.post("/kernel-agents/me/capabilities", json={"capability_keys": ["test.echo.v1"]})
    ids = {
        name: str(client.post("/kernel-jobs", json=ECHO).json()["data"]["id"])
        for name in ("running", "done", "offered")
    }
    client.post(f"/kernel-jobs/{ids['running']}/bid", json={})
    kernel.settle(ids["done"], {"b": 2})
    return ids


def test_a_loaded_kernel_continues_from_the_saved_state(
    kernel: LocalKernel, kernel_factory: Callable[..., LocalKernel], tmp_path: Path
) -> None:
    saved, other = kernel, kernel_factory(ephemeral=True)
    path = tmp_path / "day.snapshot"
    with saved.client() as client:
        ids = make_scene(saved, client)
        saved.skip(3600 * 24 * 30 - 10)
        client.post(f"/kernel-jobs/{ids['offered']}/bid", json={})
        before = {name: saved.job(job_id) for name, job_id in ids.items()}
        late = str(client.post("/kernel-jobs", json=ECHO).json()["data"]["id"])
        client.post(f"/kernel-jobs/{late}/bid", json={})
        saved.save_snapshot(path)
        key, balance = saved.api_key, saved.balance()
    other.load_snapshot(path)
    assert other.api_key == key
    with other.client(key) as client:
        assert {name: other.job(job_id) for name, job_id in ids.items()} == before
        assert other.balance() == balance
        assert client.post(f"/kernel-jobs/{late}/heartbeat").status_code == 200
        other.skip(30)
        assert client.post(f"/kernel-jobs/{late}/heartbeat").status_code == 410


def test_a_lease_continues_from_the_saved_time(
    kernel_factory: Callable[..., LocalKernel], tmp_path: Path
) -> None:
    kernel = kernel_factory(lease=600)
    with kernel.client() as client:
        ids = make_scene(kernel, client)
        kernel.skip(400)
        kernel.save_snapshot(tmp_path / "s")
        kernel.skip(200)
        assert kernel.job(ids["running"])["status"] == "bidding"
        kernel.load_snapshot(tmp_path / "s")
        assert kernel.job(ids["running"])["status"] == "running"
        kernel.restart()
        assert kernel.job(ids["running"])["status"] == "running"
        assert client.post(f"/kernel-jobs/{ids['running']}/heartbeat").status_code == 200


def test_changes_after_the_snapshot_are_removed(kernel: LocalKernel, tmp_path: Path) -> None:
    kernel.save_snapshot(tmp_path / "s")
    late = kernel.new_agent()
    kernel.load_snapshot(tmp_path / "s")
    with kernel.client(late.api_key) as client:
        assert client.get("/kernel-jobs").status_code == 401


@pytest.mark.parametrize(("resume", "status"), [(False, "held"), (True, "pending")])
def test_pending_webhooks_are_held_unless_resumed(
    kernel: LocalKernel, kernel_client: httpx.Client, tmp_path: Path, resume: bool, status: str
) -> None:
    make_scene(kernel, kernel_client)
    kernel.save_snapshot(tmp_path / "s")
    kernel.load_snapshot(tmp_path / "s", resume_webhooks=resume)
    assert [delivery["status"] for delivery in kernel.deliveries()] == [status]


def test_the_command_saves_and_loads_snapshots(
    kernel: LocalKernel,
    kernel_client: httpx.Client,
    kernel_factory: Callable[..., LocalKernel],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, data = tmp_path / "s", ["--data", str(kernel.folder)]
    ids = make_scene(kernel, kernel_client)
    assert main(["snapshot", "save", str(path), *data]) == 0
    assert str(path) in capsys.readouterr().out
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    started = kernel_factory(ephemeral=True, **{"from": path})
    assert started.api_key == kernel.api_key
    assert started.job(ids["done"]) == kernel.job(ids["done"])
    url = ["--url", started.base_url, "--token", started.console_url.partition("token=")[2]]
    assert main(["snapshot", "load", str(path), *url]) == 0
    printed = capsys.readouterr().out
    assert "1 succeeded" in printed
    assert kernel.api_key in printed


def test_a_folder_with_data_is_not_replaced(
    kernel_factory: Callable[..., LocalKernel], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kernel = kernel_factory()
    kernel.save_snapshot(tmp_path / "s")
    kernel.stop()
    files = {path: path.read_bytes() for path in kernel.folder.glob("kernel.db*")}
    start = ["--port", "0", "--data", str(kernel.folder), "--from", str(tmp_path / "s")]
    assert main(start) == 1
    assert "has data" in capsys.readouterr().err
    assert files == {path: path.read_bytes() for path in kernel.folder.glob("kernel.db*")}


def test_an_invalid_snapshot_changes_nothing(
    kernel: LocalKernel,
    kernel_client: httpx.Client,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    ids = make_scene(kernel, kernel_client)
    kernel.save_snapshot(good)
    whole = good.read_bytes()
    before = kernel.job(ids["running"])
    data = ["--data", str(kernel.folder)]
    for content in (b"", b"{}", b"not a database" * 1000, whole[: len(whole) // 2]):
        bad.write_bytes(content)
        assert main(["snapshot", "load", str(bad), *data]) == 1
        assert capsys.readouterr().err.count("\n") == 1
        assert kernel.job(ids["running"]) == before
    for change, complaint in (
        ("PRAGMA user_version = 99", "newer version"),
        ("DELETE FROM agents", "damaged"),
        ("UPDATE jobs SET completed_at = 'noon'", "damaged"),
        ("DELETE FROM payloads", "not a snapshot"),
        ("DROP TABLE events", "not a snapshot"),
        ("DELETE FROM settings", "not a snapshot"),
        ("UPDATE agents SET handler_set = '{'", "not a snapshot"),
    ):
        bad.write_bytes(whole)
        with sqlite3.connect(bad) as database:
            database.execute(change)
        database.close()
        assert main(["snapshot", "load", str(bad), *data]) == 1
        errors = capsys.readouterr().err
        assert complaint in errors
        assert errors.count("\n") == 1
        assert kernel.job(ids["running"]) == before
        assert [d["status"] for d in kernel.deliveries()] == ["pending"]
    tries = len(kernel.deliveries()[0]["tries"])
    kernel.skip(3600)
    deadline = time.monotonic() + 20
    while len(kernel.deliveries()[0]["tries"]) == tries:
        assert time.monotonic() < deadline, "the webhook is not sent any more"
    assert main(["--port", "0", "--ephemeral", "--from", str(bad)]) == 1
    assert "cannot start" in capsys.readouterr().err


def test_a_waiting_poll_continues_in_the_loaded_kernel(kernel: LocalKernel, tmp_path: Path) -> None:
    with kernel.client() as client:
        client.post("/kernel-agents/me/capabilities", json={"capability_keys": ["test.echo.v1"]})
        job_id = client.post("/kernel-jobs", json=ECHO).json()["data"]["id"]
        kernel.save_snapshot(tmp_path / "s")
        kernel.cancel(job_id)

        async def poll() -> Any:
            waiting = {"Prefer": "wait=30"}
            look = asyncio.to_thread(client.get, "/kernel-jobs/available", headers=waiting)
            task = asyncio.ensure_future(look)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.shield(task), 0.3)
            await asyncio.to_thread(kernel.load_snapshot, tmp_path / "s")
            return (await asyncio.wait_for(task, 10)).json()

        offers = asyncio.run(poll())["data"]["jobs"]
    assert [offer["job_id"] for offer in offers] == [job_id]


def test_a_loaded_kernel_equals_the_saved_one() -> None:
    def contents(service: KernelService) -> str:
        return "\n".join(line for line in service.store.database.iterdump() if "clock" not in line)

    def state(service: KernelService) -> State:
        return replace(service.kernel.snapshot(), deliveries=[])  # these are now sent

    async def scenario() -> None:
        catalog = Catalog(load_builtin())
        one = KernelService(catalog, Rules(), None, lambda: None)
        two = KernelService(catalog, Rules(), None, lambda: None)
        await one.prepare()
        await two.prepare()
        jobs = one.kernel.jobs
        one.kernel.register(one.ready_agent, ["test.echo.v1"])
        one.kernel.webhooks.configure(one.ready_agent.account_id, NOBODY, "s3cret")
        for number in range(40):
            order = Order("test.echo.v1", {"n": number}, idempotency_key=str(number))
            job, _ = one.create_job(one.ready_agent, order)
            one.kernel.note_strike(job, "create", "create=delay:1s")
            if number % 3:
                jobs.bid(one.ready_agent, job)
            if number % 3 == 2:
                jobs.submit(one.ready_agent, job, Result({"n": number}, [{"kind": "json"}]))
        one.kernel.logins.start("device_1", "BCDF-2345", "laptop", one.clock())
        await two.load_snapshot(await one.save_snapshot(), resume_webhooks=True)
        assert contents(two) == contents(one)
        assert state(two) == state(one)
        assert two.ready_agent == one.ready_agent
        assert two.counts() == one.counts() == {**two.counts(), "succeeded": 13, "running": 13}
        assert abs(two.clock() - one.clock()) < 1
        found = find_job(two.store, job.id)
        assert json.dumps(found and found.input_envelope) == '{"n": 39}'
        with pytest.raises(SnapshotError):
            await two.load_snapshot(b"junk", resume_webhooks=False)
        assert state(two) == state(one)
        await one.close()
        await two.close()

    asyncio.run(scenario())
