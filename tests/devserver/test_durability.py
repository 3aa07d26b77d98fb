"""Random kills under load: no answered change is lost, and no job is settled twice."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from chaojiyuyan_devserver._catalog_files import load_builtin
from chaojiyuyan_devserver._service import KernelService
from chaojiyuyan_devserver.kernel import Catalog, Order, Rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaojiyuyan_devserver.testing import LocalKernel

CAPABILITY = "test.echo.v1"


@dataclass
class Told:
    """What the kernel has answered to its clients."""

    made: dict[str, str] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)


def settle_jobs(base_url: str, api_key: str, name: int, told: Told, stop: threading.Event) -> None:
    """Call, bid and submit in an endless loop, and reconnect after every crash."""
    count = 0
    headers = {"Authorization": f"Bearer {api_key}"}
    with httpx.Client(base_url=base_url, headers=headers, timeout=5, trust_env=False) as client:

        def post(path: str, **body: Any) -> dict[str, Any]:
            answer: dict[str, Any] = client.post(path, json=body).json()["data"]
            return answer

        while not stop.is_set():
            key = f"{name}-{count}"
            try:
                job = post("/kernel-jobs", capability_key=CAPABILITY, idempotency_key=key)
                told.made[key] = job["id"]
                if post(f"/kernel-jobs/{job['id']}/bid").get("accepted"):
                    result = post(f"/kernel-jobs/{job['id']}/submit", output_envelope={"key": key})
                    if result["settled"]:
                        told.settled.add(job["id"])
                count += 1
            except (httpx.HTTPError, KeyError):
                stop.wait(
                    0.05
                )  # the kernel is down; a KeyError is a task run that was lost in a crash
                count += 1


def test_random_kills_under_load_lose_no_answered_change(
    kernel_factory: Callable[..., LocalKernel],
) -> None:
    kernel = kernel_factory(lease=600)
    chance = random.Random(7)
    told, stop = Told(), threading.Event()
    with kernel.client() as client:
        client.post("/kernel-agents/me/capabilities", json={"capability_keys": [CAPABILITY]})
        arguments = (kernel.base_url, kernel.api_key)
        threads = [
            threading.Thread(target=settle_jobs, args=(*arguments, name, told, stop))
            for name in range(4)
        ]
        for thread in threads:
            thread.start()
        for _ in range(3):
            before = len(told.settled)
            deadline = time.monotonic() + 20
            while len(told.settled) < before + 20 and time.monotonic() < deadline:
                stop.wait(0.01 + chance.random() / 10)
            kernel.kill()
            kernel.start()
        stop.set()
        for thread in threads:
            thread.join()
        assert len(told.settled) >= 60
        paid = 0
        for key, job_id in told.made.items():
            again = client.post(
                "/kernel-jobs", json={"capability_key": CAPABILITY, "idempotency_key": key}
            )
            assert (again.status_code, again.json()["data"]["id"]) == (200, job_id)
        for job_id in told.made.values():
            job = kernel.job(job_id)
            assert job["settlements"] == (job["status"] == "succeeded")
            if job_id in told.settled:
                assert job["status"] == "succeeded"
                assert told.made[job["output_envelope"]["key"]] == job_id
            paid += job["settlements"]
        balance = kernel.balance()
        items = client.get("/kernel-jobs", params={"status": "running", "limit": 200}).json()
        waiting = client.get("/kernel-jobs", params={"status": "bidding", "limit": 200}).json()
        held = [*items["data"]["items"], *waiting["data"]["items"]]
        assert balance["held_nc"] == sum(job["price_nc"] for job in held)
        assert balance["available_nc"] + balance["held_nc"] == 10_000_000
    assert paid >= len(told.settled)


def test_a_restart_continues_the_open_jobs(kernel_factory: Callable[..., LocalKernel]) -> None:
    kernel = kernel_factory(lease=30)
    with kernel.client() as client:
        client.post("/kernel-agents/me/capabilities", json={"capability_keys": [CAPABILITY]})
        ids = [
            client.post("/kernel-jobs", json={"capability_key": CAPABILITY}).json()["data"]["id"]
            for _ in range(3)
        ]
        bid = client.post(f"/kernel-jobs/{ids[0]}/bid", json={}).json()["data"]
        kernel.settle(ids[1], {"done": True})
        kernel.kill()
        kernel.start()
        offers = client.get("/kernel-jobs/available").json()["data"]["jobs"]
        assert [offer["job_id"] for offer in offers] == [ids[2]]
        beat = client.post(f"/kernel-jobs/{ids[0]}/heartbeat").json()["data"]
        assert beat["lease_expires_at"] >= bid["lease_expires_at"]
        assert kernel.job(ids[1])["output_envelope"] == {"done": True}
        kernel.skip(100)
        kernel.restart()
        offers = client.get("/kernel-jobs/available").json()["data"]["jobs"]
        assert [offer["job_id"] for offer in offers] == [ids[0], ids[2]]
        assert client.post(f"/kernel-jobs/{ids[0]}/heartbeat").status_code == 410


def test_a_full_disk_stops_the_kernel_before_it_answers() -> None:
    async def scenario() -> None:
        failed = asyncio.Event()
        service = KernelService(Catalog(load_builtin()), Rules(), None, failed.set)
        await service.prepare()
        # no more pages than now, so SQLite reports a full database
        service.store.database.execute("PRAGMA max_page_count=1")
        order = Order(CAPABILITY, {"text": "x" * 5_000_000})
        service.create_job(service.ready_agent, order)
        told = asyncio.ensure_future(service.saved())
        await asyncio.wait_for(failed.wait(), 10)
        later = asyncio.ensure_future(service.saved())
        await asyncio.sleep(0)
        assert not told.done()
        assert not later.done()
        told.cancel()
        later.cancel()
        await service.close()

    asyncio.run(scenario())
