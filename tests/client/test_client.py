from __future__ import annotations

import json
import threading
import warnings
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from chaojiyuyan_client import AsyncNexusClient, NexusClient
from chaojiyuyan_core.credentials import save_credentials

if TYPE_CHECKING:
    from pathlib import Path

PRODUCTION = "https://pic.chaojiyuyan.com/api/v1"
JOB = {"id": "j1", "status": "queued"}


pytestmark = pytest.mark.usefixtures("home")


def test_the_client_has_the_documented_defaults(make_client: Any) -> None:
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
def test_an_invalid_key_is_a_value_error(make_client: Any, key: Any) -> None:
    with pytest.raises(ValueError, match="api_key"):
        make_client(key)


@pytest.mark.parametrize(
    "options", [{"timeout": 0}, {"timeout": -1}, {"timeout": float("nan")}, {"max_retries": -1}]
)
def test_invalid_limits_are_value_errors(make_client: Any, options: Any) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        make_client("nxt_ag_key", **options)


def test_plain_http_to_another_machine_warns_at_the_callers_line(make_client: Any) -> None:
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
def test_from_env_reads_key_and_base_url(
    cls: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"^No chaojiyuyan credentials found"):
        cls.from_env()
    monkeypatch.setenv("NEXUS_API_KEY", "nxt_ag_env")
    monkeypatch.setenv("HEBING_BASE_URL", "http://127.0.0.1:1/api/v1")
    client = cls.from_env()
    assert (client.api_key, client.base_url) == ("nxt_ag_env", "http://127.0.0.1:1/api/v1")


def test_from_env_warns_once_at_the_line_that_calls_it(
    kind: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cls = NexusClient if kind == "sync" else AsyncNexusClient
    monkeypatch.setenv("HEBING_API_KEY", "nxt_ag_env")
    monkeypatch.setenv("HEBING_BASE_URL", "http://platform.example/api/v1")
    with pytest.warns(UserWarning, match="plain http") as caught:
        cls.from_env()
    save_credentials("nxt_ag_saved", base_url="https://other.example")
    monkeypatch.delenv("HEBING_API_KEY")
    with pytest.warns(UserWarning, match="is not used") as doubted:
        cls.from_env()
    assert [warning.filename for warning in [*caught, *doubted]] == [__file__] * 2


def test_from_env_keeps_a_subclass_default_base_url(monkeypatch: pytest.MonkeyPatch) -> None:
    class Local(NexusClient):
        DEFAULT_BASE_URL = "http://127.0.0.1:8787/api/v1"

    monkeypatch.setenv("HEBING_API_KEY", "nxt_ag_env")
    assert Local.from_env().base_url == Local.DEFAULT_BASE_URL


def test_a_half_built_client_has_a_representation() -> None:
    assert repr(NexusClient.__new__(NexusClient)).startswith("<NexusClient ")


def test_a_client_of_the_other_kind_is_refused() -> None:
    with pytest.raises(TypeError, match=r"pass an httpx\.Client"):
        NexusClient("nxt_ag_key", http_client=httpx.AsyncClient())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"pass an httpx\.AsyncClient"):
        AsyncNexusClient("nxt_ag_key", http_client=httpx.Client())  # type: ignore[arg-type]


def test_with_options_shares_the_connections(kernel: Any, client: Any) -> None:
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


def test_a_passed_in_http_client_is_used_and_stays_open(kind: str, mocked: Any) -> None:
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


def test_each_call_has_its_own_idempotency_key(mocked: Any) -> None:
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
