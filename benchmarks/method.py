"""How the benchmarks measure: rivals in turn, medians, ratios.

The machines are noisy, so single figures are not compared. This SDK, the released 0.4.0 (in its own
venv; only run, its source is not read) and a floor run one after the other in several rounds, and
the ratio of their medians is compared with a goal.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).parent.parent
PEERS = ROOT / ".hatch" / "peers"


@dataclass(frozen=True)
class Row:
    """One line of the table.

    :param name: The measured quantity with its unit: "import, ms".
    :param ours: The figure of this SDK.
    :param other: The figure to compare with, in the same unit.
    :param against: What the other figure is: "0.4.0", "floor: import httpx".
    :param goal: The goal for the ratio ours / other: "<= 1.05", ">= 0.9", or "" for none.
    """

    name: str
    ours: float
    other: float
    against: str
    goal: str = ""

    @property
    def ratio(self) -> float:
        return self.ours / self.other if self.other else float("nan")

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None if there is no goal."""
        if not self.goal:
            return None
        sign, bound = self.goal.split()
        return self.ratio <= float(bound) if sign == "<=" else self.ratio >= float(bound)


def in_turn(rivals: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Run each rival once per round, in changing order, and return the median of each.

    The first round warms up files and caches and is not counted.
    """
    figures: dict[str, list[float]] = {name: [] for name in rivals}
    names = list(rivals)
    for number in range(rounds + 1):
        for name in names:
            figure = rivals[name]()
            if number:
                figures[name].append(figure)
        names.reverse()
    return {name: median(values) for name, values in figures.items()}


def cpu_of(argv: list[str], env: Mapping[str, str] | None = None) -> float:
    """Run a process and return its CPU time in milliseconds, including its children.

    On a busy machine, the wall time of a short process would be misleading.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        argv,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **(env or {})},
        timeout=120,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def peer(requirement: str = "chaojiyuyan-sdk==0.4.0") -> Path:
    """Return the Python of a venv with a released distribution, created at the first use."""
    folder = PEERS / requirement.replace("==", "-")
    python = folder / "bin" / "python"
    ready = folder / ".ready"
    if not ready.exists():
        venv.create(folder, with_pip=True, clear=True)
        argv = [str(python), "-m", "pip", "install", "--quiet", requirement]
        subprocess.run(argv, check=True, timeout=600)
        ready.touch()
    return python


def ours() -> Path:
    """Return this process's Python, which has the packages of the checkout."""
    return Path(sys.executable)
