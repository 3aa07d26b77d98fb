"""How everything here is measured: rivals in turn, medians, ratios.

These machines are noisy, so no figure stands alone: ours, the released 0.4.0 (a peer in a venv of
its own, run and never read) and a floor run one after the other, round by round, and only the ratio
of their medians is compared with a goal.
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

    :param name: what is measured, with its unit: "import, ms".
    :param ours: our figure.
    :param other: the figure it stands beside, in the same unit.
    :param against: what that is: "0.4.0", "floor: import httpx".
    :param goal: what the ratio ours / other is to be: "<= 1.05", ">= 0.9", or "" for none.
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
        """Whether the goal is met; None where there is none."""
        if not self.goal:
            return None
        sign, bound = self.goal.split()
        return self.ratio <= float(bound) if sign == "<=" else self.ratio >= float(bound)


def in_turn(rivals: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Run each rival once a round, in changing order, and return the median figure of each.

    The first round warms up files and caches and does not count.
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
    """Run a whole process; return the CPU time it took, its children's included, in milliseconds.

    CPU time, since the wall time of a short process on a busy machine says little.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        argv,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", **(env or {})},
        timeout=120,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def peer(requirement: str = "chaojiyuyan-sdk==0.4.0") -> Path:
    """Return the Python of a venv that holds a released distribution, made on first use."""
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
    """Return the Python that runs this, which has the checkout's packages."""
    return Path(sys.executable)
