"""The single calls of a worker, for a custom loop. Each raises the documented errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from chaojiyuyan_core import api
from chaojiyuyan_core.answers import (
    LEASE_MARGIN,
    MAX_LEASE_SECONDS,
    Award,
    LeaseExtended,
    LeaseGone,
    read_bid,
    read_heartbeat,
)
from chaojiyuyan_core.errors import HebingAPIError
from chaojiyuyan_core.http import Retry, exchange, request, run
from chaojiyuyan_core.offers import BadOffer, read_offers
from chaojiyuyan_core.submission import SubmitOutcome, submit_until_settled

from ._errors import explain, explain_lost_lease, explain_refused_bid, explain_submission

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chaojiyuyan_core.http import Reply
    from chaojiyuyan_core.models import BidResult, LeaseInfo, Registration, SubmitResult, TaskInfo

    from ._run.runtime import Runtime
    from ._run.wire import Wire

T = TypeVar("T")

MAX_DEADLINES = 1000
"""Maximum number of jobs whose lease deadline is remembered."""


class _BareLease:
    """A lease without automatic heartbeats, which ends at its deadline."""

    is_gone = False

    def __init__(self, deadline: float, clock: Callable[[], float]) -> None:
        self._deadline = deadline
        self._clock = clock

    def remaining(self) -> float:
        return self._deadline - self._clock()


class Calls:
    """Sends one call at a time, with retries where they are safe.

    It remembers the lease deadline of each job that was bid on here. After the deadline nothing is
    submitted, because another worker may hold the job.

    Args:
        connect: Makes the connections at the first call.
        runtime: Provides the clock, sleep and random numbers.
    """

    def __init__(self, connect: Callable[[], Wire], runtime: Runtime) -> None:
        self._connect = connect
        self._runtime = runtime
        self._own_wire: Wire | None = None
        self._deadlines: dict[str, float] = {}

    @property
    def _wire(self) -> Wire:
        if self._own_wire is None:
            self._own_wire = self._connect()
        return self._own_wire

    def register(self, capability_keys: Sequence[str]) -> Registration:
        """Register capabilities, in batches of the maximum size."""
        total: Registration = {"registered": [], "skipped_unknown": []}
        for start in range(0, len(capability_keys), api.MAX_KEYS_PER_REGISTRATION):
            batch = capability_keys[start : start + api.MAX_KEYS_PER_REGISTRATION]
            flow = request(api.register_capabilities(batch), Retry())
            result = run(flow, self._wire, sleep=self._runtime.sleep)
            total["registered"] += result["registered"]
            total["skipped_unknown"] += result["skipped_unknown"]
        return total

    def available(self, limit: int, capability_key: str | None) -> list[TaskInfo]:
        """Return the offered jobs."""
        call = api.available_jobs(limit=limit, capability_key=capability_key)
        try:
            rows = read_offers(self._exchange(call))
        except HebingAPIError as error:
            raise explain(error) from error
        return [row for row in rows if not isinstance(row, BadOffer)]

    def bid(self, job_id: str) -> BidResult:
        """Bid on a job, and remember the deadline of its lease."""
        call, sent = api.bid(job_id), self._runtime.clock()
        reply = self._exchange(call)
        reading = read_bid(reply, self._runtime.now())
        if isinstance(reading, Award):
            self._remember(job_id, sent + reading.lease_seconds)
            return reading.result
        if reply.is_success:
            raise explain_refused_bid(job_id, reply.value(call))
        error = reply.error()
        raise explain(error, job_id) from error

    def heartbeat(self, job_id: str) -> LeaseInfo:
        """Extend the lease of a job, and remember its deadline."""
        call, sent = api.heartbeat(job_id), self._runtime.clock()
        reading = read_heartbeat(self._exchange(call), self._runtime.now())
        if isinstance(reading, LeaseExtended):
            self._remember(job_id, sent + reading.lease_seconds)
            return reading.result
        if isinstance(reading, LeaseGone):
            raise explain_lost_lease(job_id, reading.error) from reading.error
        raise explain(reading.error, job_id) from None

    def submit(self, call: api.Call[SubmitResult], job_id: str) -> SubmitResult:
        """Submit a job, with retries within its lease."""
        clock = self._runtime.clock
        unknown = clock() + MAX_LEASE_SECONDS - LEASE_MARGIN
        lease = _BareLease(self._deadlines.get(job_id, unknown), clock)
        flow = submit_until_settled(call, lease, clock=clock, draw=self._runtime.random)
        ended = run(flow, self._wire, sleep=self._runtime.sleep)
        if ended.outcome is not SubmitOutcome.REFUSED:
            self._deadlines.pop(job_id, None)
        if ended.result is None:
            raise explain_submission(job_id, ended) from ended.error
        return ended.result

    def close(self) -> None:
        """Close the connections."""
        if self._own_wire is not None:
            self._own_wire.close()
            self._own_wire = None

    def _exchange(self, call: api.Call[T]) -> Reply:
        return run(exchange(call, Retry()), self._wire, sleep=self._runtime.sleep)

    def _remember(self, job_id: str, deadline: float) -> None:
        self._deadlines.pop(job_id, None)
        self._deadlines[job_id] = deadline
        while len(self._deadlines) > MAX_DEADLINES:
            self._deadlines.pop(next(iter(self._deadlines)))
