"""The plan of a world, which follows from its seed: its processes and its faults."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any

from .weather import FAULTS, Weather
from .work import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class Disturbance:
    """A disturbance of a process or of the platform.

    Attributes:
        at: Virtual time.
        kind: ``kill``, ``freeze`` or ``stop`` a worker; ``restart`` the platform, or let it
            ``forget`` the registrations.
        target: The number of the worker; unused for the platform.
        seconds: How long it lasts, in seconds.
    """

    at: float
    kind: str
    target: int
    seconds: float


@dataclass(frozen=True)
class Plan:
    """The plan of a seed. ``minimize`` makes a smaller plan, which is easier to read.

    Attributes:
        seed: The seed of everything that is drawn while the world runs.
        workers: The number of worker processes.
        shared_key: Whether the workers use one agent key.
        concurrency: The number of jobs that each worker runs at a time.
        kinds: The kind of work of each capability.
        orders: The time and the capability of each job.
        calm_at: Virtual time from which there are no faults.
        weather: The network's faults until then.
        disturbances: The disturbances of processes until then.
        attempts: The platform's maximum number of attempts of a job.
        holds: Whether the platform supports ``Prefer: wait``.
        thread_failures: The probability that a thread does not start.
        wall_offset: Seconds by which the workers' wall clocks are wrong.
        interrupt: The probability of an interrupt where a thread takes a lock or sends.
        statements: The probability of an interrupt before a statement; see ``instrument``.
    """

    seed: int
    workers: int
    shared_key: bool
    concurrency: int
    kinds: tuple[str, ...]
    orders: tuple[tuple[float, int], ...]
    calm_at: float
    weather: Weather
    disturbances: tuple[Disturbance, ...]
    attempts: int
    holds: bool
    thread_failures: float
    wall_offset: float
    interrupt: float
    statements: float


def plan(seed: int) -> Plan:
    """Draw the plan of a seed."""
    rng = Random(f"plan {seed}")
    pick = _picker(rng)
    calm_at = 10.0 + rng.random() * 110.0
    kinds = tuple(pick(list(KINDS)) for _ in range(1 + int(rng.random() * 3)))
    workers = 1 + int(rng.random() * 4)
    likelihoods = {
        pick(list(FAULTS)): rng.random() ** 2 * 0.3 for _ in range(int(rng.random() * 5))
    }
    disturbances = tuple(
        Disturbance(
            rng.random() * calm_at,
            pick(["kill", "freeze", "stop", "restart", "forget"]),
            int(rng.random() * workers),
            rng.random() ** 2 * 60.0,
        )
        for _ in range(int(rng.random() ** 2 * 6))
    )
    return Plan(
        seed=seed,
        workers=workers,
        shared_key=rng.random() < 0.5,
        concurrency=pick([1, 1, 2, 4]),
        kinds=kinds,
        orders=tuple(
            sorted(
                (rng.random() * calm_at, int(rng.random() * len(kinds)))
                for _ in range(1 + int(rng.random() * 10))
            )
        ),
        calm_at=calm_at,
        weather=Weather(
            **likelihoods, date=pick([0.0, 0.0, 0.0, None, 7200.0, -7200.0, 25.0, 1.5])
        ),
        disturbances=disturbances,
        attempts=pick([3, 100, 100, 100]),
        holds=rng.random() < 0.75,
        thread_failures=pick([0.0, 0.0, 0.0, 0.2]),
        wall_offset=pick([0.0, 0.0, 3600.0, -3600.0]),
        interrupt=pick([0.0, 0.1, 0.5]),
        statements=pick([0.0, 0.0, 0.01, 0.1]),
    )


def _picker(rng: Random) -> Callable[[list[Any]], Any]:
    return lambda choices: choices[int(rng.random() * len(choices))]


def smaller(plan: Plan) -> Iterator[Plan]:
    """Yield plans with one thing removed, the largest reductions first."""
    for half in _halves(len(plan.orders)):
        yield replace(plan, orders=tuple(o for n, o in enumerate(plan.orders) if n not in half))
    for number in range(len(plan.disturbances)):
        fewer = plan.disturbances[:number] + plan.disturbances[number + 1 :]
        yield replace(plan, disturbances=fewer)
    if plan.workers > 1 and all(d.target < plan.workers - 1 for d in plan.disturbances):
        yield replace(plan, workers=plan.workers - 1)
    for name in FAULTS:
        if getattr(plan.weather, name):
            yield replace(plan, weather=replace(plan.weather, **{name: 0.0}))
    for name, plain in (
        ("holds", True),
        ("thread_failures", 0.0), ("wall_offset", 0.0), ("interrupt", 0.0),
        ("statements", 0.0), ("concurrency", 1),
    ):  # fmt: skip
        if getattr(plan, name) != plain:
            yield replace(plan, **{name: plain})
    if plan.weather.date != 0.0:
        yield replace(plan, weather=replace(plan.weather, date=0.0))
    for number, kind in enumerate(plan.kinds):
        if kind != "quick":
            kinds = (*plan.kinds[:number], "quick", *plan.kinds[number + 1 :])
            yield replace(plan, kinds=kinds)


def _halves(count: int) -> Iterator[set[int]]:
    size = count // 2
    while size:
        for start in range(0, count, size):
            yield set(range(start, min(start + size, count)))
        size //= 2


def minimize(plan: Plan, fails: Callable[[Plan], bool], *, runs: int = 200) -> Plan:
    """Return a smaller plan that fails in the same way.

    Args:
        plan: A plan that fails.
        fails: Returns whether a plan fails in the same way.
        runs: The maximum number of plans to try.
    """
    while True:
        for candidate in smaller(plan):
            if runs == 0:
                return plan
            runs -= 1
            if fails(candidate):
                plan = candidate
                break
        else:
            return plan
