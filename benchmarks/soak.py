"""The soak test: real processes with mixed faults until a number of jobs have been settled.

A caller keeps a backlog of jobs on a local kernel that injects faults on every endpoint, and
three worker processes run them. Two of the workers are repeatedly killed, frozen for longer than
their leases, or stopped; the kernel is killed and restarted with its data once a minute. The third
worker and the caller run until the end, and their memory must not grow. At the end, the kernel's
database must show that no job was lost and that each was settled once, with its own output.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from chaojiyuyan_client import NexusClient
from chaojiyuyan_devserver.testing import LocalKernel

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
CAPABILITY = "test.echo.v1"
BALANCE = 10**12
LEASE = 5
BACKLOG = 3_000
"""Number of open jobs, enough to keep the workers busy during a kill or a restart."""
ENDPOINTS = ("create", "register", "available", "bid", "heartbeat", "submit")
EFFECTS = ("503", "429", "html", "junk", "drop-before", "drop-after", "delay:1s")
SHARE = "0.1%"
STRIKE_INTERVAL = 10.0
RESTART_INTERVAL = 60.0
REPORT_INTERVAL = 60.0
MALLOC = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}
"""Without the caches of freed memory that glibc keeps for each thread. They fill up slowly, and
hide the growth of what the program itself keeps."""
GROWTH = 1.02
WARM = 0.2
"""The share of the jobs after which memory is compared with memory at the end."""


class Fleet:
    """The caller and the workers, and the operations on them.

    Args:
        kernel: The platform; the workers use its ready agent.
        caller_key: The key of the caller's agent.
        log: The file for their standard error.

    Attributes:
        problems: The problems so far, one text each.
    """

    def __init__(self, kernel: LocalKernel, caller_key: str, log: Path) -> None:
        self.problems: list[str] = []
        self._log_file = log
        self._log = log.open("w")
        self._platform = {**os.environ, **MALLOC, "HEBING_BASE_URL": kernel.base_url}
        self._worker_key = kernel.api_key
        self.caller = self._start("soak_caller.py", caller_key)
        self.witness = self._start("soak_worker.py", self._worker_key)
        self._victims = [self._start("soak_worker.py", self._worker_key) for _ in range(2)]

    def _start(self, name: str, api_key: str) -> subprocess.Popen[str]:
        environment = {**self._platform, "CHAOJIYUYAN_API_KEY": api_key}
        argv = [sys.executable, str(HERE / name)]
        return subprocess.Popen(
            argv, env=environment, stdin=subprocess.PIPE, stderr=self._log, text=True
        )

    def order(self, count: int) -> None:
        """Make the caller create jobs."""
        assert self.caller.stdin
        self.caller.stdin.write(f"{count}\n")
        self.caller.stdin.flush()

    def finish_ordering(self) -> None:
        """Let the caller end once it has created all its jobs."""
        assert self.caller.stdin
        self.caller.stdin.close()

    @property
    def is_ordering(self) -> bool:
        """Whether the caller still has jobs to create."""
        return self.caller.poll() is None

    def strike(self) -> str:
        """Kill, freeze or stop one of the first two workers, and return which action."""
        index = random.randrange(len(self._victims))
        process = self._victims[index]
        what = random.choice(["killed", "frozen", "stopped"])
        if what == "frozen":
            process.send_signal(signal.SIGSTOP)
            time.sleep(LEASE + 1)
            process.send_signal(signal.SIGCONT)
            return what
        process.send_signal(signal.SIGKILL if what == "killed" else signal.SIGTERM)
        code = process.wait(60)
        if what == "stopped":
            self._expect_zero("a worker that was stopped", code)
        self._victims[index] = self._start("soak_worker.py", self._worker_key)
        return what

    def check(self) -> None:
        """Check that the caller and the third worker are still running.

        Raises:
            SystemExit: One has ended; the message has the exit codes.
        """
        if self.witness.poll() is not None or self.caller.poll():
            codes = self.caller.returncode, self.witness.returncode
            raise SystemExit(f"the caller or the third worker ended unexpectedly: {codes}")

    def stop(self) -> None:
        """Stop the workers."""
        workers = (self.witness, *self._victims)
        for process in workers:
            process.terminate()
        for process in workers:
            self._expect_zero("a worker that was stopped at the end", process.wait(60))

    def _expect_zero(self, who: str, code: int) -> None:
        if code:
            last_lines = "\n".join(self._log_file.read_text().splitlines()[-30:])
            self.problems.append(f"{who} ended with {code}; the log's end:\n{last_lines}")

    def close(self) -> None:
        """Kill all processes that still run, also after a failure."""
        for process in self._processes:
            process.kill()
            process.wait()
        self._log.close()

    @property
    def _processes(self) -> list[subprocess.Popen[str]]:
        return [self.caller, self.witness, *self._victims]


class Account:
    """The caller's account. Its payments and holds show how many jobs are settled and open.

    Args:
        kernel: The platform.
    """

    def __init__(self, kernel: LocalKernel) -> None:
        self._kernel = kernel
        self._agent = kernel.new_agent("caller", balance_nc=BALANCE)
        self.api_key = self._agent.api_key
        with NexusClient(self.api_key, kernel.base_url) as client:
            catalog = client.capabilities()
        self._price = next(s["price_nc"] for s in catalog if s["capability_key"] == CAPABILITY)

    def read(self) -> tuple[int, int]:
        """Return how many jobs were settled, and how many are open."""
        balance = self._kernel.balance(self._agent.account_id)
        paid = BALANCE - balance["available_nc"] - balance["held_nc"]
        return paid // self._price, balance["held_nc"] // self._price


class Record:
    """The database of a kernel that has ended.

    Args:
        path: The database.
    """

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)

    def _number(self, statement: str) -> int:
        return int(self._database.execute(statement).fetchone()[0] or 0)

    @property
    def ordered(self) -> int:
        """The number of jobs."""
        return self._number("SELECT count(*) FROM jobs")

    @property
    def exhausted(self) -> int:
        """The number of jobs whose three attempts were all lost."""
        return self._number(
            "SELECT count(*) FROM jobs WHERE status = 'failed' AND error_code = 'attempt_exhausted'"
        )

    @property
    def attempts(self) -> int:
        """The number of attempts of all jobs."""
        return self._number("SELECT count(*) FROM attempts")

    def problems(self) -> Iterator[str]:
        """Yield the problems, one line each."""
        checks = {
            "jobs neither succeeded nor were given up after three attempts": """
                SELECT count(*) FROM jobs WHERE status <> 'succeeded'
                AND NOT (status = 'failed' AND error_code = 'attempt_exhausted')""",
            "jobs were not paid once, or paid without success": """
                SELECT count(*) FROM jobs LEFT JOIN
                (SELECT job, count(*) AS times FROM transfers WHERE kind = 'pay' GROUP BY job)
                ON job = number WHERE coalesce(times, 0) <> (status = 'succeeded')""",
            "jobs have another output than their own": """
                SELECT count(*) FROM payloads AS output JOIN payloads AS input USING (job)
                WHERE output.kind = 'output' AND input.kind = 'input'
                AND output.body <> input.body""",
            "jobs succeeded without an output": """
                SELECT count(*) FROM jobs WHERE status = 'succeeded' AND NOT EXISTS
                (SELECT 1 FROM payloads WHERE job = number AND kind = 'output')""",
            "nc were made or lost": "SELECT abs(sum(available_nc + held_nc)) FROM accounts",
            "nc are still held": "SELECT sum(held_nc) FROM accounts",
        }
        for what, statement in checks.items():
            if count := self._number(statement):
                yield f"{count} {what}"


@dataclass
class Memory:
    """The resident memory of a process while jobs are settled, in KiB.

    Attributes:
        name: The name for messages.
        process: The process.
        samples: The number of settled jobs and the memory at each time.
    """

    name: str
    process: subprocess.Popen[str]
    samples: list[tuple[int, int]] = field(default_factory=list)

    def read(self, settled: int) -> None:
        """Take a sample if the process is running."""
        if self.process.poll() is None:
            status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
            self.samples.append((settled, int(status.partition("VmRSS:")[2].split()[0])))

    def growth(self, jobs: int) -> float:
        """Return memory at the end divided by memory after warm-up, each the median of a tenth."""
        warm, end = (
            [kib for settled, kib in self.samples if start <= settled / jobs < start + 0.1]
            for start in (WARM, 0.9)
        )
        if not warm or not end:
            raise SystemExit(f"too few samples of the {self.name}'s memory: order more jobs")
        before, after = statistics.median(warm), statistics.median(end)
        print(f"{self.name}: {before:,.0f} KiB warm, {after:,.0f} KiB at the end", flush=True)
        return after / before


def soak(jobs: int) -> Iterator[str]:
    """Run until the jobs are settled, and yield the problems."""
    faults = [f"{endpoint}={effect}@{SHARE}" for endpoint in ENDPOINTS for effect in EFFECTS]
    events: Counter[str] = Counter()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kernel = stack.enter_context(LocalKernel(folder / "kernel", lease=LEASE))
        account = Account(kernel)
        kernel.set_faults(faults)
        fleet = Fleet(kernel, account.api_key, folder / "processes.log")
        stack.callback(fleet.close)
        memories = [Memory("caller", fleet.caller), Memory("worker", fleet.witness)]
        began = report_at = time.monotonic()
        strike_at, restart_at = began + STRIKE_INTERVAL, began + RESTART_INTERVAL
        ordered = settled = waiting = 0
        while fleet.is_ordering or waiting:
            settled, waiting = account.read()
            count = min(jobs - ordered, BACKLOG - (ordered - settled))
            if count > 0:
                fleet.order(count)
                ordered += count
                if ordered == jobs:
                    fleet.finish_ordering()
            for memory in memories:
                memory.read(settled)
            now = time.monotonic()
            if now >= strike_at:
                events[fleet.strike()] += 1
                strike_at = now + STRIKE_INTERVAL
            if now >= restart_at:
                kernel.kill()
                kernel.start()
                kernel.set_faults(faults)
                events["kernel restarted"] += 1
                restart_at = now + RESTART_INTERVAL
            if now >= report_at:
                print(f"{settled:,} settled after {now - began:,.0f} s", flush=True)
                report_at = now + REPORT_INTERVAL
            time.sleep(0.2)
            fleet.check()
        happened = ", ".join(f"{count} {what}" for what, count in sorted(events.items()))
        print(f"{settled:,} jobs settled in {time.monotonic() - began:,.0f} s; {happened}")
        fleet.stop()
        kernel.stop()
        record = Record(folder / "kernel" / "kernel.db")
        print(f"{record.attempts:,} attempts; {record.exhausted} jobs lost all three", flush=True)
        yield from fleet.problems
        if record.ordered != ordered:
            yield f"{ordered} jobs were created; the kernel has {record.ordered}"
        yield from record.problems()
        for memory in memories:
            if (growth := memory.growth(settled)) > GROWTH:
                yield f"the {memory.name}'s memory grew by {growth - 1:.1%}"


def main() -> int:
    """Run the soak test; return 1 if there are problems."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument(
        "--jobs", type=int, default=20_000, help="number of jobs, 20,000 by default"
    )
    problems = list(soak(parser.parse_args().jobs))
    for problem in problems:
        print(problem)
    print("something is wrong" if problems else "every job settled once, memory flat")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
