"""Run one or many simulated worlds; see ``scripts/simulate --help``."""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import re
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .instrument import POINTS, instrument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .plan import Plan
    from .world import Report

BATCH = 20
"""Seeds that one process takes at a time."""


@dataclass
class Totals:
    """The totals of many runs."""

    seeds: int = 0
    steps: int = 0
    messages: int = 0
    seconds: float = 0.0
    settled: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    violations: dict[int, str] = field(default_factory=dict)
    reached: set[int] = field(default_factory=set)

    def add(self, other: Totals) -> None:
        """Add the totals of other runs."""
        self.seeds += other.seeds
        self.steps += other.steps
        self.messages += other.messages
        self.seconds += other.seconds
        self.settled += other.settled
        self.violations.update(other.violations)
        self.reached |= other.reached
        for name, count in other.faults.items():
            self.faults[name] = self.faults.get(name, 0) + count


def run_batch(first: int, count: int) -> Totals:
    """Run the worlds of a number of seeds in one process."""
    from .world import simulate

    totals = Totals()
    for seed in range(first, first + count):
        report = simulate(seed)
        totals.seeds += 1
        totals.steps += report.steps
        totals.messages += report.messages
        totals.seconds += report.seconds
        totals.settled += report.settled
        for name, count in report.faults.items():
            totals.faults[name] = totals.faults.get(name, 0) + count
        if report.violation:
            totals.violations[seed] = report.violation
    totals.reached = {n for n, reached in enumerate(POINTS.reached) if reached}
    return totals


def run_many(
    first: int, seeds: int, minutes: float | None, jobs: int, *, keep_going: bool
) -> Totals:
    """Run worlds until the number is reached, the time is over, or one has failed."""
    end = time.monotonic() + minutes * 60 if minutes else None
    totals = Totals()

    def batches() -> Iterator[tuple[int, int]]:
        for start in range(first, first + seeds, BATCH):
            if (totals.violations and not keep_going) or (end and time.monotonic() > end):
                return
            yield start, min(BATCH, first + seeds - start)

    if jobs == 1:
        for batch in batches():
            totals.add(run_batch(*batch))
        return totals
    # Processes are replaced after a while, since greenlets of killed processes are not all freed.
    with multiprocessing.get_context("fork").Pool(jobs, maxtasksperchild=20) as pool:
        waiting = []
        for batch in batches():
            waiting.append(pool.apply_async(run_batch, batch))
            while len(waiting) >= 2 * jobs:
                totals.add(waiting.pop(0).get())
        for result in waiting:
            totals.add(result.get())
    return totals


def same_kind(violation: str | None) -> str:
    """Return a violation's text without numbers, which is the same for violations of its kind."""
    return re.sub(r"[\d.]+", "#", violation or "")[:60]


def minimized(plan: Plan, violation: str) -> Plan:
    """Return the smallest plan found that fails in the same way."""
    from .plan import minimize
    from .world import simulate

    kind = same_kind(violation)
    return minimize(plan, lambda smaller: same_kind(simulate(smaller).violation) == kind)


def show(report: Report, last: int | None) -> None:
    """Print a trace and the violated invariant."""
    lines = report.trace if last is None else report.trace[-last:]
    print("\n".join(lines))
    print(f"\n{report.violation or 'every invariant holds'}")


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="scripts/simulate", description="Run the worker in simulated worlds."
    )
    parser.add_argument("--seeds", type=int, default=1000, help="how many worlds")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--minutes", type=float, help="stop after so many minutes")
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side")
    parser.add_argument("--keep-going", action="store_true", help="go on after a violation")
    parser.add_argument("--seed", type=int, help="run one world and print its trace")
    parser.add_argument(
        "--minimize", action="store_true", help="with --seed: make it smaller first"
    )
    parser.add_argument("--last", type=int, help="print only so many lines of the trace")
    parser.add_argument(
        "--statements", action="store_true", help="may switch before every statement of the worker"
    )
    parser.add_argument(
        "--plant", help="plant the bug of this name; see tests/simulation/plants.py"
    )
    parser.add_argument(
        "--missing", action="store_true", help="print the lines that were not reached"
    )
    arguments = parser.parse_args()
    # The coroutines of a killed process are not awaited.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)

    plant = None
    if arguments.plant:
        from .plants import PLANTS

        plant = PLANTS[arguments.plant]
    if arguments.statements or plant:
        instrument(plant)
    switches = " --statements" if arguments.statements else ""
    switches += f" --plant '{arguments.plant}'" if arguments.plant else ""

    from .plan import plan
    from .world import simulate

    if arguments.seed is not None:
        chosen = plan(arguments.seed)
        report = simulate(chosen)
        if arguments.minimize and report.violation:
            chosen = minimized(chosen, report.violation)
        print(f"{chosen}\n")
        report = simulate(chosen, tracing=True)
        show(report, arguments.last)
        return 1 if report.violation else 0

    began = time.monotonic()
    totals = run_many(
        arguments.first,
        arguments.seeds,
        arguments.minutes,
        arguments.jobs,
        keep_going=arguments.keep_going,
    )
    print(
        f"{totals.seeds} worlds in {time.monotonic() - began:.1f} s: {totals.steps:,} steps,"
        f" {totals.messages:,} messages, {totals.seconds / 3600:,.1f} virtual hours,"
        f" {totals.settled:,} jobs settled"
    )
    print("faults:", json.dumps(dict(sorted(totals.faults.items()))))
    if POINTS.places:
        print(f"lines of the worker reached: {len(totals.reached)} of {len(POINTS.places)}")
    if arguments.missing:
        for number in totals.reached:
            POINTS.reached[number] = 1
        for module, lines in sorted(POINTS.missing().items()):
            print(f"  {module}: {', '.join(str(line) for line in sorted(set(lines)))}")
    for seed, violation in sorted(totals.violations.items()):
        print(f"\nseed {seed}: {violation}")
        print(f"  ./scripts/simulate --seed {seed} --minimize{switches}")
    return 1 if totals.violations else 0


if __name__ == "__main__":
    sys.exit(main())
