"""The outputs in docs/cli.md match a real run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(300)  # it runs every command
def test_the_outputs_on_the_page_match_a_real_run() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "cli_page.py", "--check"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"run scripts/cli_page.py\n{done.stdout}{done.stderr}"
