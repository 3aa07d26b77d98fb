"""A seed replays exactly: with every hash seed, and on every installed Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SEED = "5"


def trace(python: str | Path = sys.executable, hash_seed: str = "0") -> str:
    done = subprocess.run(
        [python, "-m", "simulation", "--seed", SEED, "--statements"],
        cwd=ROOT / "tests",
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.count("\n") > 100, done.stderr
    return done.stdout


def test_a_seed_replays_with_every_hash_seed() -> None:
    assert trace(hash_seed="1") == trace(hash_seed="2")


def test_a_seed_replays_on_every_python() -> None:
    environments = ROOT.glob(".hatch/data/env/virtual/hatch-test.py3.*/bin/python")
    others = [python for python in environments if python.parents[1] != Path(sys.prefix)]
    usable = [python for python in others if has_simulator(python)]
    if not usable:
        pytest.skip("this checkout has the test environment of one Python only")
    expected = trace()

    for python in usable:
        assert trace(python) == expected, python


def has_simulator(python: Path) -> bool:
    """Return whether an environment that hatch created earlier is complete."""
    wanted = "import chaojiyuyan_worker, chaojiyuyan_devserver, greenlet"
    return subprocess.run([python, "-c", wanted], capture_output=True).returncode == 0
