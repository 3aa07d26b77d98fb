from __future__ import annotations

import asyncio
import json
import threading
import time
import warnings
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from chaojiyuyan_client import AsyncNexusClient, NexusClient
from chaojiyuyan_core.credentials import load_credentials
from chaojiyuyan_core.errors import CredentialsError, DeviceFlowError, DeviceFlowTimeout

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PRODUCTION = "https://pic.chaojiyuyan.com/api/v1"
JOB = {"id": "j1", "status": "queued"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of the test's own, and nothing of ours in the environment."""
    for name in ("CHAOJIYUYAN", "HEBING", "NEXUS"):
        for what in ("API_KEY", "BASE_URL", "PROFILE"):
            monkeypatch.delenv(f"{name}_{what}", raising=False)
    path = tmp_path / ".chaojiyuyan" / "credentials"
    monkeypatch.setattr("chaojiyuyan_core.credentials.CREDENTIALS_PATH", path)
    return path


@pytest.fixture
def mocked(kind: str, make_client: Callable[..., Any]) -> Any:
    """Makes a client of either kind on a mock wire: ``mocked(handler, …)``."""

    def make(handler: Callable[[httpx.Request], httpx.Response], **options: Any) -> Any:
        transport = httpx.MockTransport(handler)
        cls = httpx.Client if kind == "sync" else httpx.AsyncClient
        return make_client("nxt_ag_key", http_client=cls(transport=transport), **options)

    return make


# --- how it is made ------------------------------------------------------------------------------


def test_the_defaults(make_client: Any) -> None:
    client = make_client(" nxt_ag_0123456789secret ")
    assert client.api_key == "nxt_ag_0123456789secret"
    assert client.base_url == PRODUCTION
    assert (client.timeout, client.max_retries) == (30.0, 2)
    assert NexusClient.DEFAULT_BASE_URL == AsyncNexusClient.DEFAULT_BASE_URL == PRODUCTION
    assert make_client("k", "https://x.example/v1/").base_url == "https://x.example/v1"


def test_the_representation_shows_no_key(make_client: Any) -> None:
    text = repr(make_client("nxt_ag_0123456789secret"))
    assert "nxt_…cret" in text
    assert PRODUCTION in text
    assert "0123456789" not in text


@pytest.mark.parametrize("key", ["", "  ", "a\r\nb", None])
def test_a_key_that_is_none_is_a_value_error(make_client: Any, key: Any) -> None:
    with pytest.raises(ValueError, match="api_key"):
        make_client(key)


@pytest.mark.parametrize(
    "options", [{"timeout": 0}, {"timeout": -1}, {"timeout": float("nan")}, {"max_retries": -1}]
)
def test_limits_that_make_no_sense_are_value_errors(make_client: Any, options: Any) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        make_client("nxt_ag_key", **options)


def test_plain_http_to_another_machine_warns_where_the_client_is_made(make_client: Any) -> None:
    with pytest.warns(UserWarning, match="plain http") as caught:
        NexusClient("nxt_ag_key", "http://localhost.evil.com/api")
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_client("nxt_ag_key", "http://[::1]:8787/api/v1")


def test_a_subclass_may_have_another_default_base_url() -> None:
    class Local(NexusClient):
        DEFAULT_BASE_URL = "http://127.0.0.1:8787/api/v1"

    assert Local("nxt_ag_key").base_url == Local.DEFAULT_BASE_URL


@pytest.mark.parametrize("cls", [NexusClient, AsyncNexusClient])
def test_from_env(cls: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"^No chaojiyuyan credentials found"):
        cls.from_env()
    monkeypatch.setenv("NEXUS_API_KEY", "nxt_ag_env")
    monkeypatch.setenv("HEBING_BASE_URL", "http://127.0.0.1:1/api/v1")
    client = cls.from_env()
    assert (client.api_key, client.base_url) == ("nxt_ag_env", "http://127.0.0.1:1/api/v1")


# --- its options ---------------------------------------------------------------------------------


def test_other_options_share_the_connections_and_leave_the_first_client_alone(
    kernel: Any, client: Any
) -> None:
    other = client.with_options(timeout=3.0, max_retries=0)
    assert (other.timeout, other.max_retries) == (3.0, 0)
    assert (client.timeout, client.max_retries) == (30.0, 2)
    assert client.with_options(max_retries=5).timeout == 30.0
    assert (other.api_key, other.base_url) == (client.api_key, client.base_url)
    other.close()
    assert client.capabilities()
    assert client.with_options(timeout=5.0).capabilities()


def test_a_closed_client_says_so(kernel: Any, client: Any) -> None:
    client.capabilities()
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.capabilities()


def test_a_client_handed_in_is_used_and_stays_open(kind: str, mocked: Any) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"data": JOB})

    client = mocked(answer)
    assert client.get_job("j1") == JOB
    client.close()
    assert client.get_job("j1") == JOB
    assert [str(request.url) for request in seen] == [f"{PRODUCTION}/kernel-jobs/j1"] * 2
    assert seen[0].headers["authorization"] == "Bearer nxt_ag_key"


def test_each_call_has_one_idempotency_key_of_its_own(mocked: Any) -> None:
    keys: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        keys.append(json.loads(request.content)["idempotency_key"])
        if len(keys) % 2:
            return httpx.Response(503, headers={"Retry-After": "0"})
        return httpx.Response(201, json={"data": JOB})

    client = mocked(answer)
    client.call("test.echo.v1", {})
    client.call("test.echo.v1", {}, idempotency_key="mine")
    client.call("test.echo.v1", {})
    assert keys[0] == keys[1] != keys[4] == keys[5]
    assert keys[2:4] == ["mine", "mine"]


# --- listings ------------------------------------------------------------------------------------


def test_jobs_are_paged_lazily_whatever_the_platform_makes_of_pages(mocked: Any) -> None:
    jobs = [{"id": f"j{n}", "status": "queued"} for n in range(120)]
    offsets: list[int] = []

    def pages(request: httpx.Request) -> httpx.Response:
        offset, limit = (int(request.url.params[name]) for name in ("offset", "limit"))
        offsets.append(offset)
        return httpx.Response(200, json={"data": {"items": jobs[offset : offset + limit]}})

    listing = mocked(pages).jobs()
    assert next(listing) == jobs[0]
    assert offsets == [0]
    assert list(listing) == jobs[1:]
    assert offsets == [0, 50, 100, 120]
    whole = mocked(lambda request: httpx.Response(200, json=jobs))
    assert list(whole.jobs()) == jobs
    small = mocked(lambda request: httpx.Response(200, json={"data": {"items": jobs[:20]}}))
    assert list(small.jobs()) == jobs[:20]


def test_a_listing_that_shifts_while_it_is_read_brings_no_job_twice(mocked: Any) -> None:
    jobs = [{"id": f"j{n}", "status": "queued"} for n in range(60)]

    def pages(request: httpx.Request) -> httpx.Response:
        offset = int(request.url.params["offset"])
        page = jobs[offset : offset + 50]
        jobs.insert(0, {"id": f"new{offset}", "status": "queued"})
        return httpx.Response(200, json={"data": page})

    found = [job.id for job in mocked(pages).jobs()]
    assert len(found) == len(set(found))
    assert {f"j{n}" for n in range(60)} <= set(found)


def test_a_listing_that_shifts_by_more_than_a_page_still_brings_every_job(mocked: Any) -> None:
    jobs = [{"id": f"j{n}", "status": "queued"} for n in range(300)]

    def pages(request: httpx.Request) -> httpx.Response:
        offset = int(request.url.params["offset"])
        page = jobs[offset : offset + 50]
        if offset in (50, 150):
            jobs[:0] = [{"id": f"new{offset}.{n}", "status": "queued"} for n in range(60)]
        return httpx.Response(200, json={"data": page})

    found = [job.id for job in mocked(pages).jobs()]
    assert len(found) == len(set(found))
    assert {f"j{n}" for n in range(300)} <= set(found)


def test_jobs_are_filtered(client: Any, kernel: Any) -> None:
    done, other = client.call("test.echo.v1", {}), client.call("media.echo.v1", {})
    kernel.settle(done.id, {})
    assert [job.id for job in client.jobs(status="succeeded")] == [done.id]
    assert [job.id for job in client.jobs(capability_key="media.echo.v1")] == [other.id]
    listed = next(iter(client.jobs(status="succeeded")))
    assert listed.result(timeout=5) == {}


# --- login ---------------------------------------------------------------------------------------


@pytest.fixture
def log_in(kind: str) -> Any:
    def start(**options: Any) -> Any:
        if kind == "sync":
            return NexusClient.login_device_flow(**options)
        return asyncio.run(AsyncNexusClient.login_device_flow(**options))

    return start


def deciding(decide: Callable[[str], object]) -> tuple[list[str], Callable[[str], None]]:
    """Lines that were printed, and a printer that acts on the code as a person would."""
    lines: list[str] = []

    def print_line(line: str) -> None:
        lines.append(line)
        if line.startswith("2) Enter code: "):
            decide(line.split(": ")[1])

    return lines, print_line


def test_a_login_prints_saves_and_makes_a_client(kernel: Any, log_in: Any, home: Path) -> None:
    lines, print_line = deciding(kernel.approve_login)
    client = log_in(base_url=kernel.base_url + "/", print_fn=print_line)
    saved = load_credentials()
    assert saved is not None
    assert saved["api_key"] == client.api_key
    assert saved["base_url"] == client.base_url == kernel.base_url
    assert saved["account_id"]
    assert [line.split(":")[0] for line in lines] == [
        "Connect to hebing",
        "-----------------",
        "1) Open",
        "2) Enter code",
        "Waiting for approval in your browser...",
        f"Saved credentials to {home}",
        "Connected to hebing.",
    ]


def test_a_login_may_save_elsewhere_or_not_at_all(kernel: Any, log_in: Any, home: Path) -> None:
    _, print_line = deciding(kernel.approve_login)
    log_in(base_url=kernel.base_url, print_fn=print_line, save=False)
    assert not home.exists()
    log_in(base_url=kernel.base_url, print_fn=print_line, profile="work", client_name="a test")
    assert load_credentials() is None
    assert load_credentials(profile="work") is not None


def test_a_denied_login_saves_nothing(kernel: Any, log_in: Any, home: Path) -> None:
    _, print_line = deciding(kernel.deny_login)
    with pytest.raises(DeviceFlowError):
        log_in(base_url=kernel.base_url, print_fn=print_line)
    assert not home.exists()


def test_a_login_that_nobody_approves_times_out(kernel: Any, log_in: Any) -> None:
    began = time.monotonic()
    with pytest.raises(DeviceFlowTimeout):
        log_in(base_url=kernel.base_url, print_fn=lambda line: None, timeout=0.3)
    assert time.monotonic() - began < 5


def test_a_broken_credentials_file_is_found_before_the_login(
    kernel: Any, log_in: Any, home: Path
) -> None:
    home.parent.mkdir()
    home.write_text("broken")
    lines: list[str] = []
    with pytest.raises(CredentialsError):
        log_in(base_url=kernel.base_url, print_fn=lines.append)
    assert lines == []


def test_a_login_that_cannot_be_saved_is_good_for_this_process(
    kernel: Any, log_in: Any, home: Path
) -> None:
    home.parent.write_text("a file in the folder's place")
    lines, print_line = deciding(kernel.approve_login)
    with pytest.warns(UserWarning, match="not saved"):
        client = log_in(base_url=kernel.base_url, print_fn=print_line)
    assert client.api_key.startswith("nxt_ag_")
    assert lines[-1] == "Connected to hebing."


def test_by_default_it_prints_at_once(
    kernel: Any, log_in: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DeviceFlowTimeout):
        log_in(base_url=kernel.base_url, timeout=0.1)
    assert "2) Enter code: " in capsys.readouterr().out


# --- threads -------------------------------------------------------------------------------------


def test_one_client_serves_many_threads(kernel: Any) -> None:
    agent = kernel.new_agent()
    with NexusClient(agent.api_key, kernel.base_url) as client:
        found: list[str] = []

        def work() -> None:
            found.extend(client.call("test.echo.v1", {"n": n}).id for n in range(5))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == len(set(found)) == 40
        assert {job.id for job in client.jobs()} == set(found)
