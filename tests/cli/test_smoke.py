"""The smoke script, which tests a release."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from support.command_line import COMMAND

if TYPE_CHECKING:
    from chaojiyuyan_devserver.testing import LocalKernel

SCRIPT = Path(__file__).parents[2] / "scripts" / "smoke-chaojiyuyan-sdk.sh"


def smoke(**env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT],
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "CHAOJIYUYAN": str(COMMAND), **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
    )


def test_the_smoke_script_starts_a_kernel_and_cleans_up(tmp_path: Path) -> None:
    done = smoke(TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("Smoke test passed.\n")
    assert list(tmp_path.iterdir()) == []


def test_the_smoke_script_uses_an_existing_platform(kernel: LocalKernel) -> None:
    done = smoke(BASE_URL=kernel.base_url, CHAOJIYUYAN_API_KEY=kernel.api_key)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "a local kernel" not in done.stdout


def test_a_failed_step_ends_the_smoke_script() -> None:
    done = smoke(BASE_URL="http://127.0.0.1:9/api/v1", CHAOJIYUYAN_API_KEY="nxt_ag_any_key_at_all")
    assert done.returncode != 0
    assert "Smoke test failed." in done.stderr
    assert smoke(BASE_URL="http://127.0.0.1:9/api/v1").returncode == 1
