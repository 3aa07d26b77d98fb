"""The lease protocol as an explicit-state model, searched completely (breadth-first).

Two workers share one key, so the platform cannot distinguish them. There is one job and a limited
number of faults. Time passes in ticks. A request reaches the platform within ``MARGIN`` ticks or
never; a response may take any time. The model specifies the worker's code: it counts the lease from
when the request was sent, subtracts the margin, and sends nothing after that.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LEASE = 3
MARGIN = 1
ATTEMPTS = 3
WORKERS = (0, 1)

IDLE, BIDDING, HOLDING, CHECKED, SUBMITTING, FINISHED = range(6)
OPEN, RUNNING, SETTLED, FAILED = range(4)


class Message(NamedTuple):
    """A request or a response in transit.

    ``attempt`` is the attempt that the sender believes to have. ``age`` counts the ticks since the
    request was sent, also for a response. ``answer`` is None for a request.
    """

    kind: str
    worker: int
    attempt: int
    age: int
    answer: str | None = None


class Worker(NamedTuple):
    """The state of one worker."""

    phase: int = IDLE
    attempt: int = 0
    left: int = 0  # ticks until its deadline
    frozen: bool = False
    doubtful: bool = False  # a submit was not answered


class State(NamedTuple):
    """The whole system."""

    job: int = OPEN
    attempt: int = 0
    lease: int = 0
    workers: tuple[Worker, Worker] = (Worker(), Worker())
    network: tuple[Message, ...] = ()
    faults: int = 2
    settled_by: int = 0  # the attempt whose output the platform took


class Broken(Exception):
    """A state or a step that the protocol must not allow."""


@dataclass(frozen=True)
class Result:
    """What the search found.

    Attributes:
        states: The number of distinct states reached.
        broken: The violated property, or None.
        path: The steps to the violation.
    """

    states: int
    broken: str | None = None
    path: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rules:
    """The worker's rules; each can be broken to test that the search detects it.

    Attributes:
        margin: Ticks that are subtracted from the lease.
        atomic: Nothing happens between the check of the deadline and the write.
        from_sending: The lease is counted from when the request was sent.
        stop_at_loss: Nothing is sent once the deadline has passed.
    """

    margin: int = MARGIN
    atomic: bool = True
    from_sending: bool = True
    stop_at_loss: bool = True


def explore(rules: Rules = Rules(), *, faults: int = 2, limit: int = 5_000_000) -> Result:
    """Search all reachable states.

    Args:
        rules: The rules of the workers.
        faults: The maximum number of faults.
        limit: The maximum number of states.

    Raises:
        MemoryError: The limit was reached.
    """
    start = State(faults=faults)
    came_from: dict[State, tuple[State, str] | None] = {start: None}
    leads_to: dict[State, list[State]] = {}
    queue = deque([start])
    while queue:
        state = queue.popleft()
        following = leads_to[state] = []
        try:
            for step, reached in _steps(state, rules):
                after = _reduced(reached)
                following.append(after)
                if after not in came_from:
                    came_from[after] = (state, step)
                    queue.append(after)
        except Broken as error:
            return Result(len(came_from), str(error), _path(came_from, state))
        if len(came_from) > limit:
            raise MemoryError(f"more than {limit} states")
    stuck = _cannot_end(leads_to)
    if stuck is not None:
        return Result(
            len(came_from), "a state from which the job never ends", _path(came_from, stuck)
        )
    return Result(len(came_from))


def _path(came_from: dict[State, tuple[State, str] | None], state: State) -> tuple[str, ...]:
    steps: list[str] = []
    while (before := came_from[state]) is not None:
        state, step = before
        steps.append(step)
    return tuple(reversed(steps))


def _cannot_end(leads_to: dict[State, list[State]]) -> State | None:
    """Return a state from which the job cannot end, or None."""
    back: dict[State, list[State]] = {}
    for state, following in leads_to.items():
        for after in following:
            back.setdefault(after, []).append(state)
    ends = [state for state in leads_to if state.job in (SETTLED, FAILED)]
    seen = set(ends)
    queue = deque(ends)
    while queue:
        for before in back.get(queue.popleft(), ()):
            if before not in seen:
                seen.add(before)
                queue.append(before)
    return next((state for state in leads_to if state not in seen), None)


# --- one step ------------------------------------------------------------------------------------


def _steps(state: State, rules: Rules) -> Iterator[tuple[str, State]]:
    yield from _tick(state)
    for message in dict.fromkeys(state.network):
        rest = _without(state, message)
        if message.answer is None:
            yield f"deliver {message.kind} of {message.worker}", _deliver(rest, message)
        elif not state.workers[message.worker].frozen:
            yield f"answer {message.kind} of {message.worker}", _hear(rest, message, rules)
        if state.faults:
            lost = rest._replace(faults=state.faults - 1)
            yield f"lose {message.kind} of {message.worker}", lost
    for number in WORKERS:
        worker = state.workers[number]
        if worker.frozen:
            yield f"resume {number}", _with(state, number, worker._replace(frozen=False))
            continue
        yield from _acts(state, number, rules)
        if state.faults and worker.phase not in (IDLE, FINISHED):
            spent = state._replace(faults=state.faults - 1)
            yield f"freeze {number}", _with(spent, number, worker._replace(frozen=True))
            yield f"kill {number}", _with(spent, number, Worker())


def _tick(state: State) -> Iterator[tuple[str, State]]:
    """Advance the time, unless a request would be in transit for too long."""
    if any(m.answer is None and m.age >= MARGIN for m in state.network):
        return
    workers = tuple(w._replace(left=max(w.left - 1, 0)) for w in state.workers)
    network = _sorted(m._replace(age=min(m.age + 1, LEASE)) for m in state.network)
    after = state._replace(workers=workers, network=network)
    if state.job == RUNNING:
        after = after._replace(lease=state.lease - 1)
        if after.lease == 0:
            last = state.attempt == ATTEMPTS
            after = after._replace(job=FAILED if last else OPEN)
    if after != state:
        yield "tick", after


def _acts(state: State, number: int, rules: Rules) -> Iterator[tuple[str, State]]:
    worker = state.workers[number]
    under_way = {m.kind for m in state.network if m.worker == number}
    if worker.phase == IDLE and state.job == OPEN:
        yield f"bid {number}", _send(state, number, "bid", worker._replace(phase=BIDDING))
    if worker.phase == BIDDING and "bid" not in under_way:
        yield f"give up the bid {number}", _with(state, number, Worker())
    if worker.phase not in (HOLDING, CHECKED, SUBMITTING):
        return
    may_send = worker.left > 0 or not rules.stop_at_loss
    if not may_send and worker.phase != CHECKED:
        yield f"lose the lease {number}", _with(state, number, Worker())
        return
    if worker.phase == CHECKED:
        yield f"write {number}", _send(state, number, "submit", worker._replace(phase=SUBMITTING))
        return
    if "beat" not in under_way:
        yield f"heartbeat {number}", _send(state, number, "beat", worker)
    if "submit" not in under_way:
        repeated = worker._replace(doubtful=worker.phase == SUBMITTING)
        if rules.atomic:
            submitting = repeated._replace(phase=SUBMITTING)
            yield f"submit {number}", _send(state, number, "submit", submitting)
        else:
            yield f"check {number}", _with(state, number, repeated._replace(phase=CHECKED))


def _deliver(state: State, message: Message) -> State:
    """The platform reads a request and answers it."""
    if message.kind == "bid":
        if state.job != OPEN:
            return _answer(state, message, "refused")
        attempt = state.attempt + 1
        after = state._replace(job=RUNNING, attempt=attempt, lease=LEASE)
        return _answer(after, message._replace(attempt=attempt), "awarded")
    if state.job != RUNNING:
        return _answer(state, message, "gone")
    if message.attempt != state.attempt:
        raise Broken(f"a {message.kind} of a lost attempt was accepted for another's")
    if message.kind == "beat":
        return _answer(state._replace(lease=LEASE), message, "held")
    if state.settled_by:
        raise Broken("the job settled twice")
    return _answer(state._replace(job=SETTLED, settled_by=state.attempt), message, "settled")


def _hear(state: State, message: Message, rules: Rules) -> State:
    """A worker reads an answer."""
    worker = state.workers[message.worker]
    number = message.worker
    left = LEASE - rules.margin - (message.age if rules.from_sending else 0)
    if message.kind == "bid":
        if message.answer == "refused" or left <= 0:
            return _with(state, number, Worker())
        return _with(state, number, Worker(HOLDING, message.attempt, left))
    if message.answer == "held":
        return _with(state, number, worker._replace(left=max(worker.left, left)))
    if message.answer == "settled":
        return _with(state, number, Worker(FINISHED))
    probably_settled = worker.doubtful and worker.left > 0
    if probably_settled and state.settled_by != worker.attempt:
        raise Broken("a worker took a job for settled that it had not settled")
    return _with(state, number, Worker(FINISHED) if probably_settled else Worker())


def _send(state: State, number: int, kind: str, worker: Worker) -> State:
    message = Message(kind, number, worker.attempt, 0)
    return _with(state._replace(network=_sorted((*state.network, message))), number, worker)


def _answer(state: State, message: Message, answer: str) -> State:
    told = message._replace(answer=answer)
    return state._replace(network=_sorted((*state.network, told)))


def _without(state: State, message: Message) -> State:
    network = list(state.network)
    network.remove(message)
    return state._replace(network=tuple(network))


def _with(state: State, number: int, worker: Worker) -> State:
    workers = list(state.workers)
    workers[number] = worker
    return state._replace(workers=(workers[0], workers[1]))


def _reduced(state: State) -> State:
    """Drop messages that are never read, and sort the two workers, which are symmetric."""
    network = tuple(m for m in state.network if m.answer is None or _is_awaited(state, m))
    straight = state._replace(network=network)
    first, second = state.workers
    swapped = straight._replace(
        workers=(second, first),
        network=_sorted(m._replace(worker=1 - m.worker) for m in network),
    )
    return min(
        straight, swapped, key=lambda s: (s.workers, [(*m[:4], m.answer or "") for m in s.network])
    )


def _is_awaited(state: State, message: Message) -> bool:
    worker = state.workers[message.worker]
    if message.kind == "bid":
        return worker.phase == BIDDING
    return worker.phase not in (IDLE, FINISHED) and message.attempt == worker.attempt


def _sorted(messages: Iterable[Message]) -> tuple[Message, ...]:
    """Sort the messages, so that states that differ only in their order are one state."""
    return tuple(sorted(messages, key=lambda m: (*m[:4], m.answer or "")))
