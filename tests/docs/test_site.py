"""The site builds in strict mode: no link, name or docstring is missing."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from chaojiyuyan_core import errors

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(300)  # the first build creates its environment
def test_the_site_builds_without_a_warning() -> None:
    built = subprocess.run(
        [ROOT / "scripts" / "hatch", "run", "docs:build"], text=True, capture_output=True
    )
    assert built.returncode == 0, built.stdout + built.stderr
    cli = (ROOT / "site" / "cli.html").read_text(encoding="utf-8")
    for command in ("connect", "call", "mcp-server"):
        assert f'id="chaojiyuyan-{command}"' in cli
    index = (ROOT / "site" / "searchindex.js").read_text(encoding="utf-8")
    for stem in ("heartbeat", "timeout", "retri"):  # the search index's stem of "retry"
        assert re.search(rf'\b{stem}"?:\[', index), f"the search does not find {stem}"
    reference = (ROOT / "site" / "api" / "client.html").read_text(encoding="utf-8")
    documented = re.findall(r'<dt class="sig[^"]*" id="([\w.]+)"', reference)
    assert documented[0] == "chaojiyuyan_client.NexusClient"
    navigation = (ROOT / "site" / "index.html").read_text(encoding="utf-8")
    assert "quickstart.html" in navigation
    assert "DESIGN" not in navigation


def test_the_errors_page_names_every_exception() -> None:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    named = re.compile(r"^### (\w+)|`(\w+)", re.MULTILINE)
    missing = set(errors.__all__) - {name for match in named.findall(page) for name in match}
    assert not missing


def test_both_readmes_have_the_same_content() -> None:
    english, chinese = (
        (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh.md")
    )
    for same in (r"(?m)^```\w.*$", r"(?m)^(##? ).*$", r"`([\w./ -]+)`", r"(?m)^\| "):
        assert sorted(re.findall(same, english)) == sorted(re.findall(same, chinese)), same
