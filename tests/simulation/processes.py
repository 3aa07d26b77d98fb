"""The worker processes of a simulation, and the invariants of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaojiyuyan_core.errors import WorkerError
from chaojiyuyan_worker._run.handlers import Handler
from chaojiyuyan_worker._run.options import RunOptions
from chaojiyuyan_worker._run.run import Run

from .network import SimWire
from .observer import MAX_RATE
from .runtime import SimExecutor, SimRuntime
from .work import Work

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaojiyuyan_worker import TaskContext

    from .scheduler import Process
    from .world import World

GRACE = 25.0
"""Seconds that a graceful shutdown may take."""

HEARTBEAT = 10.0
"""Seconds between two heartbeats, a setting of the worker."""

MAX_SUBMIT_PAUSE = 10.0
"""Maximum seconds between two submits of an output: longest pause plus longest ``Retry-After``."""

MAX_SILENCE = HEARTBEAT + 12.0
"""Maximum seconds without a heartbeat for a running job of a healthy process."""


class WorkerProcess:
    """A worker process, from its start until it ends or is killed.

    Args:
        world: The simulated world.
        process: The process's threads.
        key: The worker's agent key.

    Attributes:
        ended: The worker's ``run`` has returned, or the process was killed.
    """

    def __init__(self, world: World, process: Process, key: str) -> None:
        plan = world.plan
        self._world = world
        self._scheduler = world.scheduler
        self._seen = world.network.observer.of(process)
        self._seen.budget = MAX_RATE + 20 * plan.concurrency
        self.process = process
        self._key = key
        seed = f"{plan.seed} {process.name}"
        self._runtime = SimRuntime(
            world.scheduler,
            process,
            seed,
            wall_offset=plan.wall_offset,
            thread_failures=plan.thread_failures,
            calm_at=plan.calm_at,
        )
        self._work = Work(
            world.scheduler, process, self._runtime, seed, plan.calm_at, self._check_task
        )
        self._run: Run | None = None
        self._is_live = True
        self._problems: tuple[str, ...] = ()
        self._stopped_at: float | None = None
        self.ended = False

    @property
    def is_running(self) -> bool:
        """Whether the worker runs normally."""
        return not self.ended and not self.process.frozen and self._stopped_at is None

    def start(self, start_again: Callable[[], object]) -> None:
        """Start its main thread.

        Args:
            start_again: Called if the process ends at its start because a thread cannot start.
        """

        def main() -> None:
            try:
                self._new_run().run(once=False)
            except WorkerError as error:
                if self._stopped_at is None:
                    raise
                self._scheduler.note(f"ended: {error}")
            except RuntimeError as error:
                if "new thread" not in str(error):
                    raise
                self._scheduler.note(f"did not start: {error}")
                self._scheduler.at(self._scheduler.now + 5.0, start_again)
            finally:
                self.ended = True
                self._scheduler.note("ended")

        self._scheduler.spawn(self.process, "main", main)
        self._scheduler.spawn(self.process, "probe", self._probe)

    def kill(self) -> None:
        """Kill the process, like SIGKILL."""
        if self.process.alive:
            self._scheduler.kill(self.process)
            self.ended = True

    def freeze(self, seconds: float) -> None:
        """Stop and continue the process, like SIGSTOP and SIGCONT."""
        if not self.process.alive or self.process.frozen:
            return
        self._scheduler.freeze(self.process)

        def resume() -> None:
            self._scheduler.note(f"{self.process.name} goes on")
            self._scheduler.resume(self.process)

        self._scheduler.at(self._scheduler.now + seconds, resume)

    def stop(self) -> bool:
        """Start the graceful shutdown; return False if the process does not run."""
        if self._run is None or self.ended or self._stopped_at is not None:
            return False
        self._stopped_at = self._scheduler.now
        self._scheduler.spawn(self.process, "stopper", self._run.stop)
        return True

    def _check_task(self, task: TaskContext, *, begins: bool) -> None:
        """Check that a handler has a confirmed lease and is cancelled only after its loss."""
        belief = self._seen.beliefs.get(task.job_id)
        if belief is None or belief.run != task.task_run_id:
            return
        name = self.process.name
        if begins and belief.refused:
            self._scheduler.violate(
                f"{name} runs {task.job_id} again and did not ask for its lease"
            )
        holds = not belief.gone and self._scheduler.now < belief.held_until - 0.01
        if not begins and task.cancelled and holds and self._stopped_at is None:
            self._scheduler.violate(f"{name} gave up {task.job_id}, which it still holds")

    def check(self) -> None:
        """Check the invariants of a running process."""
        if not self.process.alive or self.process.frozen or self.ended:
            return
        now, name = self._scheduler.now, self.process.name
        if self._stopped_at is not None:
            since = max(self._stopped_at, self.process.resumed_at)
            # One slot runs on the main thread, which is interrupted only by the end of the process.
            on_main = self._world.plan.concurrency == 1 and self._work.running
            if now > since + GRACE + 5.0 and not on_main:
                self._scheduler.violate(f"{name} still drains {now - since:.0f} s after its stop")
            if now > self._stopped_at + GRACE:
                return  # The running jobs are abandoned, so there are no leases to extend.
        self._check_submits()
        for job_id, started in self._work.running.items():
            belief = self._seen.beliefs.get(job_id)
            if belief is None or belief.gone or belief.settled_at is not None:
                continue
            if now > belief.deadline:
                continue
            last = max(self._seen.heartbeats.get(job_id, started), started, self.process.resumed_at)
            if now - last > MAX_SILENCE and self._is_live:
                self._scheduler.violate(
                    f"{name} is live and sent no heartbeat for {job_id} in {now - last:.0f} s"
                )

    def _check_submits(self) -> None:
        """Check that no output is given up while its submit could still succeed."""
        now = self._scheduler.now
        for job_id, belief in self._seen.beliefs.items():
            if belief.unsettled is None or belief.gone or now > belief.held_until:
                continue
            since = max(belief.unsettled, self.process.resumed_at)
            if now - since > MAX_SUBMIT_PAUSE and now - (belief.first_submit or now) < 40.0:
                self._scheduler.violate(
                    f"{self.process.name} did not submit {job_id} again in {now - since:.0f} s"
                )

    def check_is_live(self) -> None:
        """Check that the process has recovered from all faults."""
        if self.is_running and not self._is_live:
            self._scheduler.violate(f"{self.process.name} is not live again: {self._problems}")

    def check_nothing_left(self) -> None:
        """Check that no threads or connections are left after the run."""
        left = [thread.name for thread in self.process.living()]
        wires = self._seen.open_wires
        if left or wires:
            self._scheduler.violate(f"{self.process.name} left threads {left} and {wires} wires")

    def _new_run(self) -> Run:
        world, plan = self._world, self._world.plan
        executor = SimExecutor(self._runtime, world.scheduler, plan.concurrency)
        handlers = {
            key: Handler(
                key,
                self._work.function(kind),
                executor=executor if kind == "executor" else None,
            )
            for key, kind in zip(world.capabilities, plan.kinds, strict=True)
        }
        options = RunOptions(
            concurrency=plan.concurrency,
            heartbeat_interval=HEARTBEAT,
            graceful_shutdown_timeout=GRACE,
        )
        self._run = Run(
            self._runtime,
            lambda _: SimWire(world.network, self.process, self._key),
            options,
            handlers,
        )
        return self._run

    def _probe(self) -> None:
        """Request the health every second, like an orchestrator."""
        while not self.ended:
            self._runtime.sleep(1.0)
            if self._run is not None and not self.ended:
                health = self._run.health()
                self._is_live, self._problems = health.live, health.problems
