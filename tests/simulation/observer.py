"""Checks what the processes of a simulation send.

From the delivered responses it knows what a process may believe, and it finds requests that a
correct worker would not send. It uses none of the worker's code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .server import EPOCH

if TYPE_CHECKING:
    from .scheduler import Process, Scheduler
    from .server import Answer, Request
    from .weather import Weather

MAX_LEASE = 30.0
"""The longest time, in seconds, that a worker may believe a lease to last."""

MIN_LEASE = 2.0
"""The shortest lease in seconds; if a ``Date`` gives a shorter one, it counts as wrong."""

MARGIN = 1.0
"""Seconds that a worker subtracts from a lease."""

TOLERANCE = 0.001
"""Seconds within which two times count as equal."""

MAX_RATE = 60
"""Maximum requests of a process in a virtual second, plus 20 for each of its slots."""

MAX_IDLE_POLLS = 45
"""Maximum polls of a process in ten seconds in which it was awarded no job."""


@dataclass
class Belief:
    """What a process may believe about one job, from the responses that it received.

    Attributes:
        run: The awarded task run.
        deadline: Virtual time after which it must send nothing for the job.
        held_until: Virtual time until which it has no reason to give the job up.
        gone: The platform answered that it no longer has the job.
        settled_at: When its submit was acknowledged, or None.
        refused: Its last output was refused, and no heartbeat has confirmed the lease since.
        first_submit: When its output was first submitted, or None.
        unsettled: Since when its submit waits for a retry, or None.
    """

    run: str
    deadline: float
    held_until: float
    gone: bool = False
    settled_at: float | None = None
    refused: bool = False
    first_submit: float | None = None
    unsettled: float | None = None


@dataclass
class Observed:
    """The traffic of one process."""

    beliefs: dict[str, Belief] = field(default_factory=dict)
    sent: list[float] = field(default_factory=list)
    idle_polls: list[float] = field(default_factory=list)
    open_wires: int = 0
    budget: int = MAX_RATE
    heartbeats: dict[str, float] = field(default_factory=dict)


class Observer:
    """Checks the traffic of every process.

    Args:
        scheduler: The scheduler, for the time.
        weather: The weather, for the error of the ``Date`` headers.
    """

    def __init__(self, scheduler: Scheduler, weather: Weather) -> None:
        self.scheduler = scheduler
        self.weather = weather
        self._observed: dict[str, Observed] = {}

    def of(self, process: Process) -> Observed:
        """Return the traffic of a process."""
        return self._observed.setdefault(process.name, Observed())

    # -- what a process may send -----------------------------------------------------------------

    def check_sending(self, process: Process, request: Request) -> None:
        """Check that the process may send a request.

        It must not be for a lease that the process knows to be lost, and not exceed the limits.
        """
        now = self.scheduler.now
        seen = self.of(process)
        seen.sent.append(now)
        while seen.sent[0] < now - 1.0:
            seen.sent.pop(0)
        if len(seen.sent) > seen.budget:
            self.scheduler.violate(f"{process.name} sent {len(seen.sent)} requests in one second")
        if request.kind == "poll":
            seen.idle_polls.append(now)
            while seen.idle_polls[0] < now - 10.0:
                seen.idle_polls.pop(0)
            if len(seen.idle_polls) > MAX_IDLE_POLLS:
                self.scheduler.violate(f"{process.name} polls all the time and gets nothing")
        if request.kind not in ("heartbeat", "submit"):
            return
        belief = seen.beliefs.get(request.job_id)
        if belief is None:
            self.scheduler.violate(
                f"{process.name} sent a {request.kind} for a job that it never won"
            )
        request.run = belief.run
        what = f"{process.name} started a {request.kind} for {request.job_id}"
        if belief.gone:
            self.scheduler.violate(f"{what} after it was told that the lease is lost")
        if belief.settled_at is not None and now > max(belief.settled_at, process.resumed_at):
            self.scheduler.violate(f"{what} after it was settled")
        if now > belief.deadline + TOLERANCE:
            self.scheduler.violate(f"{what} {now - belief.deadline:.3f} s after its deadline")
        if request.kind == "heartbeat":
            seen.heartbeats[request.job_id] = now
        else:
            belief.first_submit = belief.first_submit or now
            belief.unsettled = None

    def learn(self, process: Process, request: Request, sent: float, answer: Answer) -> None:
        """Record what a process learns from a delivered response."""
        if request.kind not in ("bid", "heartbeat", "submit"):
            return
        seen = self.of(process)
        data = answer.body if isinstance(answer.body, dict) else {}
        if request.kind == "bid":
            if answer.status == 200 and data.get("accepted"):
                shortest, longest = self.believed_lengths(data)
                seen.beliefs[request.job_id] = Belief(
                    data["task_run_id"], sent + longest - MARGIN, sent + shortest - MARGIN
                )
                seen.heartbeats.pop(request.job_id, None)
                seen.idle_polls.clear()
            return
        belief = seen.beliefs.get(request.job_id)
        if belief is None or belief.run != request.run:
            return
        if request.kind == "heartbeat" and "lease_expires_at" in data:
            shortest, longest = self.believed_lengths(data)
            belief.deadline = max(belief.deadline, sent + longest - MARGIN)
            # A frozen process reads the response when it continues. By then it may already have
            # seen that the earlier deadline has passed. And a later response may promise less: the
            # Date has whole seconds.
            if not process.frozen:
                belief.held_until = sent + shortest - MARGIN
            belief.refused = False
        code = data.get("detail", {}).get("code") if isinstance(data.get("detail"), dict) else None
        if code in ("task_run_not_found", "lease_expired"):
            belief.gone = True
        if request.kind == "submit":
            if code == "validation_failed" or data.get("settled") is False:
                belief.refused = True
                belief.first_submit = None
            elif answer.status == 200 and data.get("settled"):
                belief.settled_at = self.scheduler.now
            elif answer.status != 413 and not belief.gone:
                belief.unsettled = self.scheduler.now

    def miss(self, process: Process, request: Request) -> None:
        """Record that a process stopped waiting for a response."""
        belief = self.of(process).beliefs.get(request.path.split("/")[2] if request.run else "")
        if request.kind == "submit" and belief is not None and belief.run == request.run:
            belief.unsettled = self.scheduler.now

    def believed_lengths(self, data: dict[str, Any]) -> tuple[float, float]:
        """Return the shortest and the longest lease, in seconds, that a response may be read as.

        The ``Date`` header is rounded down to a second, which may add up to a second to the
        lease; the maximum subtracts it again. Without a plausible ``Date``, a process uses its own
        clock, which may be wrong too; then the lease lasts at most for its full length from when
        the request was sent.
        """
        until = datetime.fromisoformat(data["lease_expires_at"].replace("Z", "+00:00")).timestamp()
        now, offset = EPOCH + self.scheduler.now, self.weather.date
        length = 0.0 if offset is None else until - int(now + offset)
        if length < MIN_LEASE:
            return min(MAX_LEASE, until - now), MAX_LEASE
        return min(MAX_LEASE, length), min(MAX_LEASE, length)
