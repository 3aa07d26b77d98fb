"""Run the commands that the overview shows for copying, unchanged."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chaojiyuyan_devserver.testing import LocalKernel

    from .conftest import PlainBrowser


def shown(page: str, name: str) -> str:
    found = re.search(rf'<pre id="{name}"[^>]*>(.*?)</pre>', page, re.DOTALL)
    assert found is not None
    return unescape(found.group(1))


def test_the_copied_commands_work(
    kernel: LocalKernel, browser: PlainBrowser, tmp_path: Path
) -> None:
    assert "nxt_ag_" not in browser.get("/").text
    page = browser.press("/connect").text
    lines = [shown(page, "shell"), shown(page, "first"), "kill %1", "wait"]
    commands = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)],
        env={**os.environ, "PATH": commands, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Final status: succeeded" in done.stdout, done.stderr
    assert '"text": "hello"' in done.stdout
    assert shown(page, "login") == f"chaojiyuyan connect --base-url {kernel.base_url}"
