"""A job's history, grouped by attempt, with the time spans of each."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from chaojiyuyan_devserver._faults import HOLDERS, parse
from chaojiyuyan_devserver.kernel.records import Attempt, Job, Json, Strike


@dataclass(frozen=True, slots=True)
class Span:
    """A part of an attempt's time, in seconds from the job's creation.

    Its kind is ``queue`` (offered to workers), ``run`` (a worker has the job) or ``margin`` (the
    unused rest of the lease).
    """

    kind: str
    start: float
    end: float

    @property
    def length(self) -> float:
        """Its length in seconds."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Entry:
    """An event, or an applied fault with its parts as the payload."""

    at: float  # seconds since the epoch
    kind: str  # such as "job.awarded", or "fault"
    payload: Json


@dataclass(slots=True)
class Group:
    """The events of one attempt, from the offer to its end.

    Attributes:
        attempt: The attempt; None while no worker has taken the job.
        status: Why the attempt was lost, or else its status; without an attempt, the job's.
        entries: The events and faults, oldest first.
        spans: Those of queue, run and margin that exist.
    """

    attempt: Attempt | None = None
    status: str = "bidding"
    entries: list[Entry] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Timeline:
    """A job's history: one group for each attempt, and one for its last wait in the queue."""

    groups: list[Group]
    length: float  # seconds from the job's creation to its end, or to now


def build_timeline(job: Job, strikes: Iterable[Strike], now: float) -> Timeline:
    """Group a job's events, and the faults applied to its requests, by attempt."""
    groups = [Group()]
    awarded = iter(job.attempts)
    for event in job.events:
        if event.event_type == "job.bidding" and groups[-1].attempt is not None:
            groups.append(Group())
        group = groups[-1]
        group.entries.append(Entry(event.created_at, event.event_type, event.payload))
        if event.event_type == "job.awarded":
            group.attempt = next(awarded, None)
            group.status = "running"
        elif event.event_type == "job.attempt_lost":
            group.status = event.payload["reason"]
    for strike in strikes:
        _add_fault(groups, strike)
    end = job.completed_at if job.completed_at is not None else now
    offered_at = job.created_at
    for group in groups:
        attempt = group.attempt
        if attempt is None or group.status == "running":
            group.status = attempt.status if attempt else job.status
        group.spans = _spans(offered_at, attempt, end, job.created_at)
        offered_at = attempt.ended_at if attempt and attempt.ended_at is not None else end
    return Timeline(groups, max(end - job.created_at, 0.0))


def _add_fault(groups: list[Group], strike: Strike) -> None:
    fault = parse(strike.fault)
    payload = {
        "endpoint": strike.endpoint,
        "effect": fault.effect,
        "amount": f"{fault.amount:g}",
        "fault": strike.fault,
    }
    begun = [group for group in groups if group.entries and group.entries[0].at <= strike.at]
    if strike.endpoint in HOLDERS:  # shown with the attempt of the worker that has the job
        begun = [group for group in begun if group.attempt] or begun
    group = (begun or groups)[-1]
    group.entries.append(Entry(strike.at, "fault", payload))
    group.entries.sort(key=lambda entry: entry.at)


def _spans(offered_at: float, attempt: Attempt | None, end: float, origin: float) -> list[Span]:
    if attempt is None:
        return [Span("queue", offered_at - origin, end - origin)]
    ended_at = attempt.ended_at if attempt.ended_at is not None else end
    spans = [
        Span("queue", offered_at - origin, attempt.started_at - origin),
        Span("run", attempt.started_at - origin, ended_at - origin),
    ]
    if attempt.lease_expires_at > ended_at:
        spans.append(Span("margin", ended_at - origin, attempt.lease_expires_at - origin))
    return spans
