"""The whole SDK: every documented import and command, and the upgrade from 0.4.0."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.environments import INITIALIZE, at, interpreter_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaojiyuyan_devserver.testing import LocalKernel
    from support.environments import Environment

ROOT = Path(__file__).resolve().parents[2]
FIVE = {f"chaojiyuyan-{name}" for name in ("core", "client", "worker", "cli", "mcp")}
COMMANDS = [
    *("connect", "disconnect", "status", "capabilities"),
    *("call", "worker", "mcp-server", "version"),
]
KEY = "nxt_ag_from_0_4_0_secret"


@pytest.fixture(scope="module")
def full(new_environment: Callable[[str, Path], Environment], interpreter: Path) -> Environment:
    environment = new_environment("full", interpreter)
    environment.install("chaojiyuyan-sdk>=0.5")
    return environment


def of_ours(environment: Environment) -> dict[str, str]:
    return {
        name: version
        for name, version in environment.packages().items()
        if name.startswith("chaojiyuyan")
    }


def test_the_sdk_installs_the_pinned_version_of_each_part(
    full: Environment, weigh: Callable[[str, Environment], None]
) -> None:
    assert set(of_ours(full)) == {"chaojiyuyan-sdk", *FIVE}
    weigh("Full", full)


def test_every_documented_import_works(full: Environment, tmp_path: Path) -> None:
    # The checkout's test of the imports, run with the installed SDK and a separate pytest.
    full.install("--target", tmp_path, "pytest>=9,<10")
    surface = ROOT / "tests" / "sdk" / "test_surface.py"
    shown = full.run(
        *(full.python, "-m", "pytest", "-q", "-c", "/dev/null", "-p", "no:cacheprovider"),
        *("--import-mode=importlib", "-o", f"pythonpath={ROOT / 'tests'}", surface),
        PYTHONPATH=str(tmp_path),
    )
    assert re.search(r"\d{2} passed", shown.stdout), shown.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_documented_command_is_installed(full: Environment, command: str) -> None:
    shown = full.run("chaojiyuyan", command, "--help")
    assert "usage: chaojiyuyan" in shown.stdout.lower()


def test_the_commands_run_as_modules(full: Environment) -> None:
    by_command = full.run("chaojiyuyan", "version").stdout
    assert by_command == f"chaojiyuyan-sdk {full.packages()['chaojiyuyan-sdk']}\n"
    assert full.run(full.python, "-m", "chaojiyuyan_sdk.cli", "version").stdout == by_command


def test_the_command_line_runs_a_job(
    full: Environment, kernel: LocalKernel, digest_worker: None
) -> None:
    shown = full.run(
        *("chaojiyuyan", "call", "text.digest.v1", "--input", '{"text": "to be or not"}', "--wait"),
        **at(kernel),
    )
    assert "Final status: succeeded" in shown.stdout


def test_both_extras_are_accepted(
    new_environment: Callable[[str, Path], Environment], interpreter_3_10: Path
) -> None:
    environment = new_environment("extras", interpreter_3_10)
    shown = environment.install("chaojiyuyan-sdk[mcp,dev]>=0.5")
    assert " extra" not in shown.stderr, "both are known"
    assert set(of_ours(environment)) == {"chaojiyuyan-sdk", "chaojiyuyan-devserver", *FIVE}
    assert environment.run("chaojiyuyan", "dev", "--help").stdout


@pytest.mark.parametrize(("installer", "version"), [("pip", "3.10"), ("uv", "3.13")])
def test_a_release_0_4_0_is_upgraded_and_downgraded(
    new_environment: Callable[[str, Path], Environment],
    installer: str,
    version: str,
    kernel: LocalKernel,
) -> None:
    environment = new_environment(f"upgrade-{installer}", interpreter_of(version))
    environment.install("chaojiyuyan-sdk[mcp]==0.4.0")
    mcp_json = environment.home / "mcp.json"
    connect = ("connect", "--api-key", KEY, "--target", mcp_json, "--yes")
    environment.run("chaojiyuyan", *connect, HEBING_BASE_URL=kernel.base_url)
    credentials = environment.home / ".chaojiyuyan" / "credentials"
    left = {file: file.read_bytes() for file in (credentials, mcp_json)}
    assert all(KEY.encode() in content for content in left.values())

    environment.install("pip")
    upgrade = ("--upgrade", "chaojiyuyan-sdk[mcp]")
    install = environment.pip if installer == "pip" else environment.install
    assert " extra" not in install(*upgrade).stderr, "the extra [mcp] is known"

    assert set(of_ours(environment)) == {"chaojiyuyan-sdk", *FIVE}
    upgraded = of_ours(environment)["chaojiyuyan-sdk"]
    assert environment.run("chaojiyuyan", "version").stdout == f"chaojiyuyan-sdk {upgraded}\n"

    status = environment.run("chaojiyuyan", "status").stdout
    assert str(credentials) in status
    assert "nxt_…cret" in status
    assert KEY not in status
    assert {file: file.read_bytes() for file in left} == left, "read as they are"

    entry = json.loads(mcp_json.read_text())["mcpServers"]["chaojiyuyan"]
    with environment.conversation(entry["command"], *entry["args"], **entry["env"]) as ask:
        assert ask([INITIALIZE], until=1)["result"]["serverInfo"]["name"]

    # After the downgrade, the five parts stay installed but 0.4.0 does not use them.
    install("chaojiyuyan-sdk[mcp]==0.4.0")
    assert of_ours(environment)["chaojiyuyan-sdk"] == "0.4.0"
    by_module = (environment.python, "-m", "chaojiyuyan_sdk.cli")
    assert environment.run(*by_module, "version").stdout == "chaojiyuyan-sdk 0.4.0\n"
    assert environment.run("chaojiyuyan", "version").stdout == "chaojiyuyan-sdk 0.4.0\n"
    assert str(credentials) in environment.run(*by_module, "status").stdout
    assert {file: file.read_bytes() for file in left} == left, "read as they are"


def test_installing_beside_an_older_mcp_names_the_conflict(
    new_environment: Callable[[str, Path], Environment], interpreter_3_10: Path
) -> None:
    environment = new_environment("conflict", interpreter_3_10)
    explained = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")

    environment.install("pip")
    by_pip = environment.pip("--dry-run", "chaojiyuyan-sdk>=0.5", "mcp<2", check=False)
    assert by_pip.returncode == 1
    for words in ("and mcp<2 because these package versions have conflicting dependencies",):
        assert words in by_pip.stderr
        assert words in explained
    by_uv = environment.install("--dry-run", "chaojiyuyan-sdk>=0.5", "mcp<2", check=False)
    assert by_uv.returncode == 1
    for words in ("depends on mcp>=2.3,<3", "requirements are unsatisfiable"):
        assert words in " ".join(by_uv.stderr.split())
        assert words in explained

    without = sorted(FIVE - {"chaojiyuyan-mcp"})
    assert f"pip install {' '.join(sorted(without))} 'mcp<2'" in explained
    environment.install(*without, "mcp<2")
    assert environment.packages()["mcp"].startswith("1.")
    assert environment.run("chaojiyuyan", "version").stdout
    hint = environment.run("chaojiyuyan", "mcp-server", check=False)
    assert hint.returncode == 1
    assert "chaojiyuyan-sdk[mcp]" in hint.stderr
