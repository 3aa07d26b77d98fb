"""The worker compared with the floor and the released 0.4.0, on a bare in-memory server.

The floor is 32 threads with an httpx client each that send the same bids and submits. The last
row, the share of a core that the server used, shows that the server is not the limit.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import httpx

from .method import Row, cpu_of, in_turn, ours, peer

if TYPE_CHECKING:
    from types import TracebackType

HERE = Path(__file__).parent
RIVAL = str(HERE / "worker_rivals.py")
JOBS = 2000
PAUSED_JOBS = 640
PEERS_JOBS = 30
PICKUPS = 15
ROUNDS = 5
COST_ROUNDS = 3
HELD = 1000
BARE = "import httpx; httpx.Client()"
BUILT = "from chaojiyuyan_worker import Worker; Worker('nxt_ag_bench_bench')"


class Server:
    """The bare server in its own process."""

    def __init__(self, *flags: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "bare_server.py"), *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        self._client = httpx.Client(base_url=self.url, trust_env=False)

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()
        self._process.communicate(timeout=10)

    def stats(self) -> dict[str, Any]:
        found: dict[str, Any] = self._client.get("/_stats").json()
        return found

    def backlog(self, jobs: int) -> None:
        self._client.post("/_reset")
        self._client.post("/_backlog", content=str(jobs))

    def work(self, python: Path, rival: str, jobs: int, pause: float) -> dict[str, Any]:
        """Let a rival run a backlog, and return the server's counts and its CPU share."""
        self.backlog(jobs)
        before = self.stats()["cpu"]
        argv = [str(python), RIVAL, rival, self.url, str(jobs), str(pause)]
        subprocess.run(argv, check=True, timeout=120, stdout=subprocess.DEVNULL)
        seen = self.stats()
        assert seen["settled"] == jobs, f"{rival} settled {seen['settled']} of {jobs}"
        return {**seen, "busy": (seen["cpu"] - before) / seen["seconds"]}

    def pickups(self, python: Path, rival: str) -> float:
        """Post jobs at random intervals up to 2 s; return the median seconds until their award."""
        self._client.post("/_reset")
        argv = [str(python), RIVAL, rival, self.url, str(PICKUPS), "0"]
        worker = subprocess.Popen(argv, stdin=subprocess.PIPE, text=True)
        post = [sys.executable, RIVAL, "post", self.url, str(PICKUPS), "2"]
        subprocess.run(post, check=True, timeout=120)
        worker.communicate(timeout=60)
        return median(self.stats()["pickups"])


def rows() -> list[Row]:
    """Run all, in about five minutes."""
    return [*throughput(), *cost(), *holding(), *latency(), built()]


def cost() -> list[Row]:
    """CPU of the worker's process compared with bare threads that bid and submit, and the rates."""
    found = []
    with Server() as server:

        def run(rival: str, jobs: int, pause: float, slots: int) -> tuple[float, float]:
            server.backlog(jobs)
            argv = [str(ours()), RIVAL, rival, server.url, str(jobs), str(pause), str(slots)]
            done = subprocess.run(argv, check=True, timeout=120, capture_output=True, text=True)
            return float(done.stdout) / jobs, jobs / server.stats()["seconds"]

        def both(jobs: int, pause: float, slots: int, which: int) -> dict[str, float]:
            rivals = {
                name: partial(lambda name: run(name, jobs, pause, slots)[which], name)
                for name in ("ours", "bare")
            }
            return in_turn(rivals, COST_ROUNDS)

        for slots, jobs in ((1, 1000), (32, JOBS), (128, JOBS), (512, JOBS)):
            cpu = both(jobs, 0.0, slots, 0)
            name = f"CPU of a no-op job, concurrency {slots}, ms"
            found.append(Row(name, cpu["ours"], cpu["bare"], "bare threads", "<= 1.2"))
        for slots, jobs, goal in ((32, PAUSED_JOBS, ">= 0.95"), (512, 2 * JOBS, ">= 0.9")):
            rate = both(jobs, 0.05, slots, 1)
            name = f"50 ms jobs/s, concurrency {slots}"
            found.append(Row(name, rate["ours"], rate["bare"], "bare threads", goal))
    return found


def holding() -> list[Row]:
    """What 1,000 leases cost that are held at once."""
    with Server() as server:
        server.backlog(HELD)
        argv = [str(ours()), RIVAL, "hold", server.url, str(HELD), "45"]
        done = subprocess.run(argv, check=True, timeout=180, capture_output=True, text=True)
    seen = json.loads(done.stdout.splitlines()[-1])
    return [
        Row("CPU of 1,000 held leases, cores", seen["share"], 1.0, "one core", "<= 0.1"),
        Row("late or lost of 1,000 held leases", seen["late"], 1.0, "one", "<= 0"),
        Row("threads at the end of holding", seen["threads"], seen["early"], "at first", "<= 1.0"),
    ]


def throughput() -> list[Row]:
    seen: dict[str, list[dict[str, Any]]] = {"ours": [], "floor": []}
    with Server() as server:

        def rate(rival: str, jobs: int, pause: float, python: Path | None = None) -> float:
            result = server.work(python or ours(), rival, jobs, pause)
            seen.setdefault(rival, []).append(result)
            return jobs / result["seconds"]

        def rivals(jobs: int, pause: float) -> dict[str, float]:
            return in_turn({name: partial(rate, name, jobs, pause) for name in seen}, ROUNDS)

        idle = rivals(JOBS, 0.0)
        requests = median(sum(run["requests"].values()) / run["settled"] for run in seen["ours"])
        busy = max(run["busy"] for run in seen["ours"] + seen["floor"])
        paused = rivals(PAUSED_JOBS, 0.05)
        released = rate("peer", PEERS_JOBS, 0.05, peer())
    return [
        Row("no-op jobs/s, concurrency 32", idle["ours"], idle["floor"], "floor", ">= 0.9"),
        Row("50 ms jobs/s, concurrency 32", paused["ours"], paused["floor"], "floor", ">= 0.95"),
        Row("50 ms jobs/s", paused["ours"], released, "0.4.0"),
        Row("requests per settled job, backlog", requests, 1.0, "one job", "<= 2.05"),
        Row("busy share of the server's core, at most", busy, 1.0, "all of it", "<= 0.7"),
    ]


def latency() -> list[Row]:
    with Server("--prefer") as held:
        prefer = 1000 * held.pickups(ours(), "ours-one")
    with Server() as plain:
        polled = 1000 * plain.pickups(ours(), "ours-one")
        released = 1000 * plain.pickups(peer(), "peer-one")
    return [
        Row("created to awarded with Prefer, ms", prefer, 1.0, "1 ms", "<= 10"),
        Row("created to awarded without it, ms", polled, 1000.0, "poll_interval", "<= 0.4"),
        Row("created to awarded without it, ms", polled, released, "0.4.0"),
    ]


def built() -> Row:
    python = str(ours())
    costs = in_turn(
        {
            "ours": lambda: cpu_of([python, "-c", BUILT]),
            "bare": lambda: cpu_of([python, "-c", BARE]),
        },
        11,
    )
    return Row("import and build one, ms of CPU", costs["ours"], costs["bare"], "httpx", "<= 1.1")
