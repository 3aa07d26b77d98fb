"""The worker in simulated worlds: no seed violates an invariant, and every planted bug is found.

A failure prints its seed and the command that replays it with a readable trace.
"""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from simulation.plants import PLANTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulation.instrument import Plant

TESTS = Path(__file__).resolve().parents[1]


def run_simulator(*arguments: str, timeout: float = 300.0) -> subprocess.CompletedProcess[str]:
    """Run the simulator in a separate process, where it can load the instrumented worker."""
    return subprocess.run(
        [sys.executable, "-m", "simulation", *arguments],
        cwd=TESTS,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


@pytest.mark.timeout(400)
@pytest.mark.parametrize("mode", [[], ["--statements"]], ids=["locks", "statements"])
def test_every_world_holds_every_invariant(mode: list[str]) -> None:
    done = run_simulator("--minutes", "0.25", "--seeds", "100000", *mode)

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    worlds = int(re.findall(r"(\d+) worlds", done.stdout)[0])
    assert worlds >= 20


@pytest.fixture(scope="module")
def found() -> Iterator[dict[str, subprocess.CompletedProcess[str]]]:
    """The simulator's output for each planted bug; two run at a time."""
    with ThreadPoolExecutor(2) as pool:
        yield dict(zip(PLANTS, pool.map(find, PLANTS.values()), strict=True))


def find(plant: Plant) -> subprocess.CompletedProcess[str]:
    """Search the world where the bug was found before, then the first 500 worlds."""
    quick = run_simulator("--plant", plant.name, "--first", str(plant.seed), "--seeds", "1")
    if quick.returncode == 1 and "violat" not in quick.stderr:
        return quick
    return run_simulator("--plant", plant.name, "--seeds", "500")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_bug_is_found(
    name: str, found: dict[str, subprocess.CompletedProcess[str]]
) -> None:
    done = found[name]

    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == 1, f"not found in 500 worlds:\n{done.stdout}"
    assert re.search(r"seed \d+: .+\n  \./scripts/simulate --seed \d+", done.stdout)
