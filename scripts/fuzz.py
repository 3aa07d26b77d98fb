"""Fuzz everything that reads untrusted bytes, until a fault is found or the time is over.

The targets are those of ``tests/support/fuzz_targets.py``, which the tests run for at most a
minute. They take turns. A fault is shown with its smallest input, which is stored in
``.hypothesis/`` so that the tests find it again immediately.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.fuzz_targets import TARGETS

if TYPE_CHECKING:
    from support.fuzz_targets import Target

TURN = 10.0
"""Seconds for each turn of a target."""

ROUND = 200
"""Number of values between two checks of the clock."""


def fuzz(target: Target, seconds: float) -> int:
    """Run a target with generated values for a while.

    Args:
        target: The function to test.
        seconds: How long to run it, in seconds.

    Returns:
        The number of values.

    Raises:
        Exception: The exception of the target, if there is a fault.
    """
    end = time.monotonic() + seconds
    count = 0

    @settings(
        max_examples=ROUND, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck)
    )
    @given(target.values)
    def feed(value: object) -> None:
        nonlocal count
        count += 1
        target.check(value)

    while time.monotonic() < end:
        feed()
    return count


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, help="how long in total; without it, until Ctrl-C")
    args = parser.parse_args()
    chosen = args.targets or list(TARGETS)
    if unknown := sorted({*chosen} - {*TARGETS}):
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    end = None if args.seconds is None else time.monotonic() + args.seconds
    try:
        for name in itertools.cycle(chosen):
            left = TURN if end is None else min(TURN, end - time.monotonic())
            if left <= 0:
                break
            print(f"{name}: {fuzz(TARGETS[name], left):,} values", flush=True)
    except KeyboardInterrupt:
        print("Stopped; no fault was found.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
