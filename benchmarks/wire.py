"""Costs of many concurrent calls: tasks, threads and waits on one client, in CPU time."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .client import server
from .method import Row, ours, peer

HERE = Path(__file__).parent


def rows() -> list[Row]:
    with server() as base_url:
        call, bare, found = loop(ours(), "calls", base_url)
        few, many = loop(ours(), "runs", base_url)
        _, aiohttp = loop(peer("aiohttp==3.13.2"), "aiohttp", base_url)
        one, threads, bare_threads = loop(ours(), "threads", base_url)
    with server("--prefer") as base_url:
        (waiting,) = loop(ours(), "waits", base_url)
    by_threads = "call() by 32 threads, CPU µs"
    run, named = "run() by 1,000 tasks, CPU ms", "await call(), CPU µs"
    return [
        Row(named, call, bare, "floor: AsyncClient.post(json=).json()", "<= 0.75"),
        Row(named, call, found, "the same, import sniffio failing at once"),
        Row(run, many, few, "by 10 tasks", "<= 1.2"),
        Row(run, many, aiohttp, "the same requests by aiohttp", "<= 5"),
        Row(by_threads, threads, one, "by one thread", "<= 1.2"),
        Row(by_threads, threads, bare_threads, "floor: 32 threads with an httpx.Client each"),
        Row("wait() of 1,000 threads, CPU ms each", waiting, 3, "at most 3 ms", "<= 1"),
    ]


def loop(python: Path, task: str, base_url: str) -> list[float]:
    """Run ``wire_loop.py`` and return its output."""
    argv = [str(python), str(HERE / "wire_loop.py"), task, base_url]
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=300)
    return [float(figure) for figure in done.stdout.split()]
