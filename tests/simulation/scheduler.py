"""A seeded scheduler: threads as greenlets, time as a number.

One random generator decides everything that is random in a real system: which thread runs next,
where a thread is interrupted, and what the network does. The same seed gives the same run, on every
Python and with every hash seed.
"""

from __future__ import annotations

import heapq
from random import Random
from typing import TYPE_CHECKING, Any, NoReturn

from greenlet import getcurrent, greenlet

if TYPE_CHECKING:
    from collections.abc import Callable

FOREVER = float("inf")

MAX_STEPS_AT_ONE_INSTANT = 200_000
"""Scheduling steps at the same virtual time that count as an endless loop."""


class Killed(BaseException):
    """The process of this thread was killed; the thread must do nothing more."""


class Violation(AssertionError):
    """An invariant was violated."""


class SimThread:
    """One thread of a simulated process.

    Attributes:
        name: The name in the trace.
        process: The process that it belongs to.
        error: The exception that ended it, or None.
    """

    __slots__ = (
        "done", "error", "event_loop", "glet", "name", "on_end", "process", "running_loop", "token",
        "value",
    )  # fmt: skip

    def __init__(self, process: Process, name: str, glet: greenlet) -> None:
        self.process = process
        self.name = name
        self.glet = glet
        self.done = False
        self.error: BaseException | None = None
        self.token = 0  # a wake-up with an old token is too late and is ignored
        self.value: object = None
        self.on_end: list[Callable[[], object]] = []
        self.event_loop: Any = None
        self.running_loop: Any = None


class Process:
    """A group of threads that are killed, frozen and resumed together.

    Attributes:
        name: The name in the trace.
        alive: False once it was killed; its threads no longer run.
        frozen: True while none of its threads is scheduled.
        resumed_at: The virtual time at which it was last continued.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.frozen = False
        self.resumed_at = 0.0
        self.threads: list[SimThread] = []
        self.held_back: list[SimThread] = []

    def living(self) -> list[SimThread]:
        """Return the threads that have not ended."""
        return [thread for thread in self.threads if not thread.done]


class Scheduler:
    """Runs simulated threads one at a time, in an order that follows from the seed.

    Args:
        seed: The seed of all choices.
        interrupt: The probability, 0 to 1, of an interrupt at each possible place.
        record: Called with each line of the trace: virtual time, process, thread, event.
    """

    def __init__(
        self,
        seed: int | str,
        *,
        interrupt: float = 0.1,
        record: Callable[[float, str, str, str], object] = lambda *_: None,
    ) -> None:
        self.random = Random(f"scheduler {seed}")
        self._statements = Random(f"statements {seed}")
        self.interrupt = interrupt
        self.now = 0.0
        self.steps = 0
        self.record = record
        self.current: SimThread | None = None
        self.unhandled: list[tuple[SimThread, BaseException]] = []
        self.violation: Violation | None = None
        self._hub = getcurrent()
        self._ready: list[SimThread] = []
        self._timers: list[tuple[float, int, Callable[[], object]]] = []
        self._order = 0

    # -- what runs -------------------------------------------------------------------------------

    def spawn(self, process: Process, name: str, function: Callable[[], object]) -> SimThread:
        """Start a thread of a process; it first runs when the scheduler picks it."""

        def body() -> None:
            try:
                function()
            except Killed:
                pass
            except BaseException as error:  # the run decides how to handle the exception
                thread.error = error
                if process.alive:
                    self.unhandled.append((thread, error))
            finally:
                thread.done = True
                for told in thread.on_end:
                    told()

        thread = SimThread(process, name, greenlet(body, self._hub))
        process.threads.append(thread)
        self._ready.append(thread)
        return thread

    def at(self, when: float, function: Callable[[], object]) -> None:
        """Call a function at a virtual time, outside all threads; it must not block."""
        self._order += 1
        heapq.heappush(self._timers, (max(when, self.now), self._order, function))

    def run(self, until: Callable[[], bool], *, limit: float) -> None:
        """Run until a condition holds.

        Args:
            until: The condition, checked before each step.
            limit: Virtual time in seconds; reaching it is a violation.

        Raises:
            Violation: The limit passed, no thread can run, or time does not advance.
        """
        at_one_instant = 0
        while not until():
            if self.violation is not None:
                raise self.violation
            if self._ready:
                at_one_instant += 1
                if at_one_instant > MAX_STEPS_AT_ONE_INSTANT:
                    self.violate(f"an endless loop at {self.now:.3f} s")
                self._switch_to(self._pick())
                continue
            if not self._timers:
                self.violate(f"deadlock: nothing can run any more at {self.now:.3f} s")
            when = self._timers[0][0]
            if when > limit:
                self.violate(f"not done after {limit:g} virtual seconds")
            if when > self.now:
                self.now = when
                at_one_instant = 0
            _, _, function = heapq.heappop(self._timers)
            function()

    def kill(self, process: Process) -> None:
        """Stop all threads of a process without running their ``finally`` blocks."""
        process.alive = False
        process.held_back = []
        self._ready = [thread for thread in self._ready if thread.process is not process]
        for thread in process.threads:
            thread.done = True

    def freeze(self, process: Process) -> None:
        """Stop scheduling a process, like SIGSTOP; its timers continue."""
        process.frozen = True
        process.held_back += [t for t in self._ready if t.process is process]
        self._ready = [thread for thread in self._ready if thread.process is not process]

    def resume(self, process: Process) -> None:
        """Continue a frozen process."""
        process.frozen = False
        process.resumed_at = self.now
        if process.alive:
            self._ready += process.held_back
        process.held_back = []

    def violate(self, what: str) -> NoReturn:
        """End the run because of a violated invariant. Code under test cannot catch this.

        Raises:
            Violation: If the scheduler found it.
            Killed: If a simulated thread found it.
        """
        self.violation = self.violation or Violation(what)
        if self.current is None:
            raise self.violation
        self.current.process.alive = False
        raise Killed

    def discard(self, processes: list[Process]) -> None:
        """Destroy what is left of the processes after a run, so that memory does not grow."""
        for process in processes:
            process.alive = False
            for thread in process.threads:
                for _ in range(50):  # a loop that catches every exception may need several
                    if thread.glet.dead or not thread.glet:
                        break
                    self.current = thread
                    thread.glet.parent = getcurrent()
                    thread.glet.throw(Killed)
        self.current = None

    # -- what threads call -----------------------------------------------------------------------

    def me(self) -> SimThread:
        """Return the running thread.

        Raises:
            Killed: Its process was killed.
        """
        thread = self.current
        assert thread is not None, "only a simulated thread may do this"
        if not thread.process.alive:
            raise Killed
        return thread

    def park(self, deadline: float = FOREVER) -> object:
        """Wait until :meth:`wake`, or until a virtual time.

        Returns:
            The value of the wake-up, or None when the time came first.
        """
        thread = self.me()
        thread.token += 1
        token = thread.token
        thread.value = None
        if deadline < FOREVER:
            self.at(deadline, lambda: self.wake(thread, token, None))
        self._hub.switch()
        self.me()
        return thread.value

    def wake(self, thread: SimThread, token: int, value: object) -> bool:
        """Wake a parked thread; return False if it was already woken."""
        if thread.token != token or thread.done or not thread.process.alive:
            return False
        thread.token += 1
        thread.value = value
        if thread.process.frozen:
            thread.process.held_back.append(thread)
        else:
            self._ready.append(thread)
        return True

    def sleep(self, seconds: float) -> None:
        """Wait a number of virtual seconds."""
        self.park(self.now + max(seconds, 0.0))

    def maybe_switch(self, likelihood: float | None = None) -> None:
        """Let another thread run first, with some probability."""
        thread = self.me()
        if self.random.random() < (self.interrupt if likelihood is None else likelihood):
            self._ready.append(thread)
            self._hub.switch()
            self.me()

    def interrupt_at_statement(self, likelihood: float) -> None:
        """Let another thread run before the next statement, with some probability."""
        if self._statements.random() < likelihood:
            self.maybe_switch(1.0)

    def note(self, event: str) -> None:
        """Write a line of the trace for the running thread."""
        thread = self.current
        process = thread.process.name if thread else "-"
        self.record(self.now, process, thread.name if thread else "-", event)

    # -- inside ----------------------------------------------------------------------------------

    def _pick(self) -> SimThread:
        index = int(self.random.random() * len(self._ready))
        last = len(self._ready) - 1
        self._ready[index], self._ready[last] = self._ready[last], self._ready[index]
        return self._ready.pop()

    def _switch_to(self, thread: SimThread) -> None:
        from asyncio import events

        self.steps += 1
        self.current = thread
        # asyncio keeps these for each real thread, and here is only one.
        if thread.event_loop is not None:
            events.set_event_loop(thread.event_loop)
        events._set_running_loop(thread.running_loop)
        thread.glet.switch()
        thread.running_loop = events._get_running_loop()
        events._set_running_loop(None)
        self.current = None
