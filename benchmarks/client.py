"""Costs of a caller: the import, the CPU of a call, and the delay until a result is noticed."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .method import Row, cpu_of, in_turn, ours, peer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
CALLS = 200
ROUNDS = 15


def rows() -> list[Row]:
    return [*start_rows(), *call_rows(), *wait_rows()]


def start_rows() -> list[Row]:
    """Whole processes, CPU in ms."""
    built = "from chaojiyuyan_sdk import NexusClient; NexusClient('nxt_ag_bench')"
    read = "from chaojiyuyan_core.http._tls import shared_ssl_context as read; read()"
    figures = in_turn(
        {
            "built": lambda: cpu_of([str(ours()), "-c", built]),
            "ready": lambda: cpu_of([str(ours()), "-c", f"{built}; {read}"]),
            "built 0.4.0": lambda: cpu_of([str(peer()), "-c", built]),
            "httpx": lambda: cpu_of([str(ours()), "-c", "import httpx; httpx.Client()"]),
            "import": lambda: cpu_of([str(ours()), "-c", "import chaojiyuyan_sdk"]),
            "import 0.4.0": lambda: cpu_of([str(peer()), "-c", "import chaojiyuyan_sdk"]),
            "pass": lambda: cpu_of([str(ours()), "-c", "pass"]),
        },
        ROUNDS,
    )
    client, sdk = "process with a client, CPU ms", "process that imports the sdk, CPU ms"
    return [
        Row(client, figures["built"], figures["httpx"], "floor: httpx.Client()", "<= 1.05"),
        Row(client, figures["built"], figures["built 0.4.0"], "0.4.0"),
        # The root certificates are read with the first call to an https address.
        Row(f"{client}, certificates read", figures["ready"], figures["httpx"], "floor: the same"),
        Row(sdk, figures["import"], figures["pass"], "floor: python -c pass", "<= 1.25"),
        Row(sdk, figures["import"], figures["import 0.4.0"], "0.4.0"),
    ]


def call_rows() -> list[Row]:
    """The client's own CPU, in µs a call; the server is another process."""
    import httpx

    from chaojiyuyan_client import NexusClient

    with server() as base_url, httpx.Client() as http, NexusClient("nxt_ag_x", base_url) as client:
        url = f"{base_url}/kernel-jobs"
        headers = {"Authorization": "Bearer nxt_ag_x"}
        body = {"capability_key": "bench.v1", "input_payload": {"n": 1}}
        request = http.build_request("POST", url, json=body, headers=headers)
        figures = in_turn(
            {
                "call": cpu(lambda: client.call("bench.v1", {"n": 1})),
                "post": cpu(lambda: http.post(url, json=body, headers=headers).json()),
                "send": cpu(lambda: http.send(request).json()),
                "0.4.0": lambda: loop(peer(), "cpu", base_url)[0],
                "loop": lambda: loop(ours(), "cpu", base_url)[0],
            },
            ROUNDS,
        )
    name = "call(), CPU µs"
    return [
        Row(name, figures["call"], figures["post"], "floor: Client.post(json=).json()", "<= 0.8"),
        Row(name, figures["call"], figures["send"], "floor: one request sent again"),
        Row(name, figures["loop"], figures["0.4.0"], "0.4.0"),
    ]


def wait_rows() -> list[Row]:
    """The time from a job's settlement to the return of wait(), in ms."""
    with server() as base_url:
        late, requests = loop(ours(), "wait", base_url)
        late_before, _ = loop(peer(), "wait", base_url)
    with server("--prefer") as base_url:
        held, _ = loop(ours(), "wait", base_url)
    polled = "settled until wait() returns, ms"
    return [
        Row(polled, late, 300, "at most 300 ms", "<= 1"),
        Row(polled, late, late_before, "0.4.0"),
        Row("the same, requests a job at most", requests, 12, "at most 12", "<= 1"),
        Row("the same with Prefer: wait, ms", held, 20, "at most 20 ms", "<= 1"),
    ]


def cpu(act: Callable[[], object]) -> Callable[[], float]:
    def measured() -> float:
        began = time.process_time()
        for _ in range(CALLS):
            act()
        return 1e6 * (time.process_time() - began) / CALLS

    return measured


def loop(python: Path, task: str, base_url: str) -> list[float]:
    """Run ``call_loop.py`` with one SDK and return its output."""
    argv = [str(python), str(HERE / "call_loop.py"), task, base_url]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=120)
    return [float(figure) for figure in done.stdout.split()]


@contextlib.contextmanager
def server(*options: str) -> Iterator[str]:
    """Run ``settling_server.py`` and yield its base URL."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / "settling_server.py"), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()
