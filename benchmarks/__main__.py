"""Run the benchmarks: ratios to the released 0.4.0 and to a floor, measured together."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .method import Row

AREAS = tuple(
    sorted(
        path.stem
        for path in Path(__file__).parent.glob("*.py")
        if "\ndef rows(" in path.read_text(encoding="utf-8")
    )
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("areas", nargs="*", metavar="AREA", help=f"of {', '.join(AREAS)}; all")
    areas = parser.parse_args().areas or AREAS
    unknown = [area for area in areas if area not in AREAS]
    if unknown:
        parser.error(f"no area {', '.join(unknown)}; there are {', '.join(AREAS)}")

    print(f"Python {platform.python_version()}, {os.cpu_count()} cores\n", flush=True)
    print(f"{'area':<8} {'what':<58} {'ours':>10} {'other':>10} {'ratio':>7}  goal     against")
    missed = 0
    for area in areas:
        rows: list[Row] = importlib.import_module(f"{__package__}.{area}").rows()
        for row in rows:
            verdict = {True: "ok", False: "MISSED", None: ""}[row.met]
            missed += row.met is False
            print(
                f"{area:<8} {row.name:<58} {row.ours:>10.2f} {row.other:>10.2f} {row.ratio:>7.2f}"
                f"  {row.goal:<8} {row.against} {verdict}",
                flush=True,
            )
    print(f"\n{missed} goals missed" if missed else "\nevery goal met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
