"""Device logins through a pipe and on a terminal: approved, denied and interrupted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.command_line import finish, interrupt, saved

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from chaojiyuyan_devserver.testing import LocalKernel
    from support.command_line import Cli
    from support.terminal import Terminal


def code_of(process: subprocess.Popen[str]) -> str:
    """Read the code of a device login from the documented lines of the output."""
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(5)]
    assert lines[1] == "Connect to chaojiyuyan\n"
    assert lines[3].startswith("1) Open: http")
    return lines[4].removeprefix("2) Enter code: ").strip()


def test_an_approved_device_login_saves_the_key(cli: Cli, kernel: LocalKernel) -> None:
    process = cli.start("connect", "--yes", "--base-url", kernel.base_url)
    kernel.approve_login(code_of(process))
    stdout, stderr = finish(process)
    assert (process.returncode, stderr) == (0, "")
    assert "Waiting for approval in your browser..." in stdout
    assert "Login OK" in stdout
    credentials = saved(cli) or {}
    assert credentials["base_url"] == kernel.base_url
    assert credentials["account_id"]
    assert credentials["api_key"] not in stdout
    done = cli("whoami")
    assert done.returncode == 0
    assert credentials["account_id"] in done.stdout


def test_a_denied_device_login_is_an_error(cli: Cli, kernel: LocalKernel) -> None:
    process = cli.start("connect", "--base-url", kernel.base_url)
    kernel.deny_login(code_of(process))
    _, stderr = finish(process)
    assert process.returncode == 2
    assert stderr.startswith("Login failed: ")
    assert stderr.count("\n") == 1
    assert cli.files() == set()


def test_no_login_starts_when_its_key_cannot_be_saved(cli: Cli, kernel: LocalKernel) -> None:
    (cli.home / ".chaojiyuyan").write_text("a file where the folder belongs")
    done = cli("login", "--base-url", kernel.base_url)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: Cannot write ")
    assert "Open:" not in done.stdout


def test_a_new_key_that_cannot_be_saved_is_shown(cli: Cli, kernel: LocalKernel) -> None:
    process = cli.start("login", "--base-url", kernel.base_url)
    code = code_of(process)
    (cli.home / ".chaojiyuyan").write_text("a file that somebody puts in the folder's place")
    kernel.approve_login(code)
    stdout, stderr = finish(process)
    assert process.returncode == 1
    assert "Keep this agent key. It is shown only once: nxt_ag_" in stdout
    assert stderr.startswith("Error: Cannot write ")


def test_ctrl_c_ends_the_wait_for_approval(cli: Cli, kernel: LocalKernel) -> None:
    process = cli.start("login", "--base-url", kernel.base_url)
    code_of(process)
    interrupt(process)
    _, stderr = finish(process)
    assert (process.returncode, stderr) == (130, "Interrupted.\n")
    assert cli.files() == set()


@pytest.mark.parametrize(
    ("arguments", "env", "offered"),
    [
        ([], {"DISPLAY": ":9"}, True),
        (["--no-browser"], {"DISPLAY": ":9"}, False),
        ([], {"DISPLAY": ":9", "SSH_CONNECTION": "1 2 3 4"}, False),
        ([], {}, False),
    ],
    ids=["offered", "turned off", "over ssh", "no display"],
)
def test_a_terminal_offers_the_browser_and_shows_the_time_left(
    cli: Cli,
    kernel: LocalKernel,
    terminal: Callable[..., Terminal],
    tmp_path: Path,
    arguments: list[str],
    env: dict[str, str],
    offered: bool,
) -> None:
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}\n')
    browser.chmod(0o755)
    shown = terminal(
        "login", "--base-url", kernel.base_url, *arguments, BROWSER=f"{browser} %s", **env
    )
    code = shown.expect(r"2\) Enter code: (\S+)\s").group(1)
    if offered:
        shown.expect(r"\[Y/n\]")
        shown.send("\n")
    shown.expect(r"Waiting for approval in your browser\.\.\. \d+:\d\d left")
    assert opened.exists() == offered
    if offered:
        assert code in opened.read_text()
    else:
        assert "[Y/n]" not in shown.text
    kernel.approve_login(code)
    shown.expect("Login OK")
    assert shown.end() == 0
