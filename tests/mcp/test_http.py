"""Streamable HTTP: access checks, tools and shutdown."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ElicitResult

from support.mcp_http import TOKEN, HttpServer
from support.mcp_server import clean_environment, reach

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from chaojiyuyan_devserver.testing import LocalKernel

Json = dict[str, Any]

ORDER: Json = {"capability_key": "test.echo.v1", "input_payload": {}}
KEY = {"CHAOJIYUYAN_API_KEY": "nxt_ag_0123456789"}


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("http")


@pytest.fixture(scope="module")
def shared(homes: Path) -> Iterator[list[HttpServer]]:
    made: list[HttpServer] = []
    yield made
    for server in made:
        server.__exit__()


@pytest.fixture
def server(shared: list[HttpServer], homes: Path, kernel: LocalKernel) -> HttpServer:
    """A server of the shared kernel, shared by the tests of this module."""
    if not shared:
        shared.append(HttpServer(homes, ("--ask-above", "4"), reach(kernel)).__enter__())
    return shared[0]


def origin_of(server: HttpServer, host: str = "127.0.0.1") -> str:
    return f"http://{host}:{urlsplit(server.url).port}"


class TestToken:
    @pytest.mark.parametrize(
        "value",
        [
            None,
            "",
            TOKEN,
            "Bearer",
            "Bearer wrong",
            f"Bearer {TOKEN}x",
            f"Bearer {TOKEN[:-1]}",
            f"Basic {TOKEN}",
            f"Bearer {TOKEN} {TOKEN}",
        ],
    )
    def test_a_wrong_token_is_401(self, server: HttpServer, value: str | None) -> None:
        headers = {} if value is None else {"authorization": value}
        for path in ("/mcp", "/", "/other"):
            url = origin_of(server) + path
            for method in ("GET", "POST", "DELETE", "OPTIONS"):
                answer = httpx.request(method, url, headers=headers, trust_env=False)
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"].startswith("Bearer ")

    def test_two_tokens_are_401(self, server: HttpServer) -> None:
        both = [("authorization", f"Bearer {TOKEN}"), ("authorization", "Bearer x")]
        assert httpx.post(server.url, headers=both, trust_env=False).status_code == 401

    def test_the_right_token_is_served(self, server: HttpServer) -> None:
        assert server.post("tools/list").status_code == 200
        assert server.greet().status_code == 200
        assert server.greet(authorization=f"bearer {TOKEN}").status_code == 200

    def test_a_token_is_created_and_printed_if_none_is_set(
        self, tmp_path: Path, kernel: LocalKernel
    ) -> None:
        variables = {**reach(kernel), "CHAOJIYUYAN_MCP_TOKEN": " "}
        with HttpServer(tmp_path, (), variables) as other:
            line = other.log.read_text().splitlines()[1]
            token = line.rpartition("Bearer ")[2]
            assert len(token) >= 32
            assert other.greet(authorization=f"Bearer {token}").status_code == 200
            assert other.greet().status_code == 401


class TestHostAndOrigin:
    def test_host_and_origin_of_this_machine_are_served(self, server: HttpServer) -> None:
        for host in ("127.0.0.1", "localhost", "[::1]"):
            origin = origin_of(server, host)
            assert server.greet(host=urlsplit(origin).netloc, origin=origin).status_code == 200

    @pytest.mark.parametrize(
        "host", ["evil.test", "localhost.evil.test", "127.0.0.1.evil.test", "a@127.0.0.1", ""]
    )
    def test_another_host_is_403(self, server: HttpServer, host: str) -> None:
        assert server.greet(host=host).status_code == 403

    @pytest.mark.parametrize(
        "origin",
        ["http://evil.test", "null", "http://127.0.0.1:1", "http://127.0.0.1", "file://", "x"],
    )
    def test_another_origin_is_403(self, server: HttpServer, origin: str) -> None:
        assert server.greet(origin=origin).status_code == 403
        assert server.post("tools/list", origin=origin).status_code == 403


def test_a_task_works_over_http(server: HttpServer, kernel: LocalKernel) -> None:
    task = server.call("kernel_create_job", **ORDER, wait=True)
    assert task["resultType"] == "task"
    params = {"taskId": task["taskId"]}
    assert server.post("tasks/get", params).json()["result"]["status"] == "working"
    kernel.settle(task["taskId"], {"over": "http"})
    done = server.post("tasks/get", params).json()["result"]
    assert done["result"]["structuredContent"]["output_envelope"] == {"over": "http"}
    for name in ("another", ""):
        answer = server.post("tasks/get", params, **{"mcp-name": name})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32020)


def test_consent_works_over_http(server: HttpServer) -> None:
    order = {"capability_key": "media.echo.v1", "input_payload": {}}
    asked = server.call("kernel_create_job", **order)
    assert asked["resultType"] == "input_required"
    params = {
        "name": "kernel_create_job",
        "arguments": order,
        "requestState": asked["requestState"],
        "inputResponses": {"order": {"action": "accept", "content": {"ok": True}}},
    }
    done = server.post("tools/call", params).json()["result"]
    assert done["structuredContent"]["price_nc"] == 5


@pytest.mark.parametrize("era", ["legacy", "auto"])
def test_the_library_s_client_asks_its_user(server: HttpServer, era: Any) -> None:
    asked: list[str] = []

    async def answer(_: object, params: Any) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action="accept", content={"ok": True})

    async def order() -> Any:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with (
            httpx2.AsyncClient(headers=headers, trust_env=False) as http,
            Client(
                streamable_http_client(server.url, http_client=http),
                mode=era,
                elicitation_callback=answer,
            ) as client,
        ):
            arguments = {"capability_key": "media.echo.v1", "input_payload": {}}
            return await client.call_tool("kernel_create_job", arguments)

    assert asyncio.run(order()).structured_content["price_nc"] == 5
    (message,) = asked
    assert "5 nc" in message


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal to send")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_http_server(number: int, tmp_path: Path, kernel: LocalKernel) -> None:
    with HttpServer(tmp_path, (), reach(kernel)) as server:
        assert server.greet().status_code == 200
        server.process.send_signal(number)
        assert server.process.wait(5) == 0
        assert TOKEN not in server.log.read_text()


class TestStart:
    @pytest.mark.parametrize(
        ("arguments", "variables", "reason"),
        [
            (["--http", "0.0.0.0:0"], {}, "--allow-remote"),
            (["--http", "example.test:80"], {}, "--allow-remote"),
            (["--http", "0.0.0.0:0", "--allow-remote"], {}, "CHAOJIYUYAN_MCP_TOKEN"),
            (["--http", "127.0.0.1:0"], {"CHAOJIYUYAN_MCP_TOKEN": "short"}, "16 ASCII"),
            (["--http", "127.0.0.1"], {}, "HOST:PORT"),
            (["--http", "127.0.0.1:x"], {}, "HOST:PORT"),
            (["--http", "127.0.0.1:99999"], {}, "HOST:PORT"),
            (["--http", "http://127.0.0.1:1"], {}, "HOST:PORT"),
            (["--http", "a@127.0.0.1:1"], {}, "HOST:PORT"),
            (["--http", ""], {}, "HOST:PORT"),
            (["--allow-remote"], {}, "--http"),
        ],
    )
    def test_invalid_options_exit_with_2(
        self, arguments: list[str], variables: dict[str, str], reason: str, tmp_path: Path
    ) -> None:
        done = self.start(tmp_path, *arguments, **KEY, **variables)
        assert done.returncode == 2
        assert reason in done.stderr

    def test_a_port_in_use_is_reported(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            done = self.start(tmp_path, "--http", address, **KEY)
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert "Choose another" in line

    def start(
        self, home: Path, *arguments: str, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "chaojiyuyan_mcp", *arguments],
            env=clean_environment(home, **variables),
            capture_output=True,
            text=True,
            timeout=30,
        )

    def test_allow_remote_serves_other_host_names(
        self, tmp_path: Path, kernel: LocalKernel
    ) -> None:
        with HttpServer(tmp_path, ("--allow-remote",), reach(kernel), "0.0.0.0:0") as server:
            port = urlsplit(server.url).port
            server.url = f"http://127.0.0.1:{port}/mcp"
            assert server.greet(host="agents.test").status_code == 200
            own = {"host": f"agents.test:{port}", "origin": f"http://agents.test:{port}"}
            assert server.greet(**own).status_code == 200
            assert server.greet(host="agents.test", origin="http://evil.test").status_code == 403
            assert server.greet(authorization="").status_code == 401
