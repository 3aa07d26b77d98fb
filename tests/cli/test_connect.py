"""`connect`, `disconnect`, `login` and `logout`: credentials, files, programs, and back again."""

from __future__ import annotations

import json
import os
import re
import stat
from typing import TYPE_CHECKING

import pytest

from chaojiyuyan_core.credentials import load_credentials

from .conftest import COMMAND, KEY, finish, interrupt

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from chaojiyuyan_devserver.testing import LocalKernel

    from .conftest import Cli, Terminal

PRODUCTION = "https://pic.chaojiyuyan.com/api/v1"


def entry_in(path: Path, container: str = "mcpServers") -> dict[str, object]:
    entry: dict[str, object] = json.loads(path.read_text())[container]["chaojiyuyan"]
    return entry


def saved(cli: Cli, profile: str = "default") -> dict[str, str] | None:
    return load_credentials(path=cli.credentials, profile=profile)


def code_of(process: subprocess.Popen[str]) -> str:
    """Read the code of a device login off the documented lines, as they come through a pipe."""
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(5)]
    assert lines[1] == "Connect to hebing\n"
    assert lines[3].startswith("1) Open: http")
    return lines[4].removeprefix("2) Enter code: ").strip()


@pytest.fixture
def claude(cli: Cli, tmp_path: Path) -> Path:
    """A program named claude on PATH; the file that it notes its arguments in."""
    folder = tmp_path / "bin"
    folder.mkdir()
    notes = tmp_path / "claude-arguments"
    program = folder / "claude"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {notes}\n')
    program.chmod(0o755)
    cli.env["PATH"] = f"{folder}{os.pathsep}{cli.env['PATH']}"
    return notes


# --- with a key ----------------------------------------------------------------------------------


def test_a_given_key_is_saved_written_and_never_shown(cli: Cli) -> None:
    done = cli("connect", "--api-key", KEY, "--yes")
    assert done.returncode == 0
    assert "Connected with provided Agent KEY" in done.stdout
    assert f"Wrote {cli.mcp_json}" in done.stdout
    assert KEY not in done.stdout + done.stderr
    assert saved(cli) == {"api_key": KEY, "base_url": PRODUCTION}
    assert entry_in(cli.mcp_json) == {
        "command": str(COMMAND),
        "args": ["mcp-server"],
        "env": {"CHAOJIYUYAN_API_KEY": KEY, "HEBING_BASE_URL": PRODUCTION},
    }
    for path in (cli.credentials, cli.mcp_json):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_key_comes_from_standard_input(cli: Cli) -> None:
    done = cli("connect", "--api-key", "-", stdin=f"{KEY}\ny\n")
    assert done.returncode == 0
    assert "[y/N]" in done.stdout
    assert entry_in(cli.mcp_json)
    assert KEY not in done.stdout
    assert saved(cli)


def test_the_key_comes_from_a_hidden_prompt(cli: Cli, terminal: Callable[..., Terminal]) -> None:
    shown = terminal("login", "--api-key", "-")
    shown.expect("Agent key: ")
    shown.send(f"{KEY}\n")
    assert shown.end() == 0
    assert KEY not in shown.text
    assert saved(cli) == {"api_key": KEY, "base_url": PRODUCTION}


@pytest.mark.parametrize("key", ["", " ", "a\rb", "a\x1bb", "名字"])
def test_what_is_no_key_is_refused_and_nothing_saved(cli: Cli, key: str) -> None:
    for arguments, stdin in ((["--api-key", key], ""), (["--api-key", "-"], f"{key}\n")):
        done = cli("connect", "--yes", *arguments, stdin=stdin)
        if "\r" in key and stdin:  # a line of standard input ends there
            continue
        assert done.returncode == 1, key
        assert done.stderr.count("\n") == 1
        assert cli.files() == set()


def test_a_no_and_an_end_of_input_leave_the_file(cli: Cli) -> None:
    for answer in ("n\n", ""):
        done = cli("connect", "--api-key", KEY, stdin=answer)
        assert done.returncode == 0
        assert f"Apply this change to {cli.mcp_json}? [y/N]" in done.stdout
        assert "Aborted" in done.stdout
        assert "nxt_…cret" in done.stdout
        assert KEY not in done.stdout
        assert not cli.mcp_json.exists()
        assert saved(cli)


def test_ctrl_c_at_a_prompt_is_one_line(cli: Cli, terminal: Callable[..., Terminal]) -> None:
    shown = terminal("connect", "--api-key", KEY)
    shown.expect(r"\[y/N\]")
    shown.send("\x03")
    assert shown.end() == 130
    assert "Interrupted." in shown.text
    assert "Traceback" not in shown.text
    assert not cli.mcp_json.exists()


def test_connecting_again_changes_nothing(cli: Cli) -> None:
    cli("connect", "--api-key", KEY, "--yes")
    before = cli.files()
    done = cli("connect", "--api-key", KEY)
    assert "no change" in done.stdout
    assert cli.files() == before


def test_a_target_alone_is_written(cli: Cli, claude: Path) -> None:
    target = cli.home / "x" / "mcp.json"
    done = cli("connect", "--api-key", KEY, "--yes", "--target", str(target))
    assert done.returncode == 0
    assert entry_in(target)
    assert not cli.mcp_json.exists()
    assert not claude.exists()
    assert cli("connect", "--target", "x", "--client", "cursor").returncode == 2


def test_no_key_keeps_it_out_of_every_file_but_the_credentials(cli: Cli) -> None:
    (cli.home / ".cursor").mkdir()
    cli("connect", "--api-key", KEY, "--yes", "--no-key", "--client", "all", "--profile", "work")
    assert entry_in(cli.mcp_json)["env"] == {
        "HEBING_BASE_URL": PRODUCTION,
        "CHAOJIYUYAN_PROFILE": "work",
    }
    holders = [p for p in cli.home.rglob("*") if p.is_file() and KEY in p.read_text()]
    assert holders == [cli.credentials]
    assert saved(cli, "work")
    assert saved(cli) is None


def test_the_base_url_is_the_options_then_the_environments_then_production(cli: Cli) -> None:
    cli.log_in("https://before.example")
    cases = [
        (["--base-url", "https://option.example"], "https://option.example", "--base-url"),
        ([], "https://environment.example", "HEBING_BASE_URL"),
    ]
    for arguments, url, source in cases:
        env = {"HEBING_BASE_URL": "https://environment.example"}
        done = cli("connect", "--api-key", KEY, "--yes", *arguments, **env)
        assert f"Base URL: {url} ({source})" in done.stdout
        assert (saved(cli) or {})["base_url"] == url
        assert entry_in(cli.mcp_json)["env"]["HEBING_BASE_URL"] == url  # type: ignore[index]
    assert PRODUCTION in cli("login", "--api-key", KEY).stdout
    assert (saved(cli) or {})["base_url"] == PRODUCTION


# --- dry runs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [[], ["--api-key", KEY], ["--api-key", "-"]])
def test_a_dry_run_starts_asks_and_writes_nothing(cli: Cli, claude: Path, key: list[str]) -> None:
    (cli.home / ".cursor").mkdir()
    before = cli.files()
    done = cli(
        "connect", "--dry-run", "--client", "all", *key, HEBING_BASE_URL="http://127.0.0.1:9"
    )
    assert done.returncode == 0
    assert "Dry run" in done.stdout
    assert done.stdout.count('+    "chaojiyuyan": {') == 2
    assert re.search(r'^\+.*"CHAOJIYUYAN_API_KEY": "(nxt_)?…', done.stdout, re.MULTILINE)
    assert KEY not in done.stdout
    assert "claude mcp add-json -s user chaojiyuyan" in done.stdout
    assert cli.files() == before
    assert not claude.exists()


# --- clients -------------------------------------------------------------------------------------


def test_each_client_gets_the_entry_in_its_own_form(cli: Cli) -> None:
    places = {
        "claude-desktop": (".config/Claude/claude_desktop_config.json", "mcpServers"),
        "cursor": (".cursor/mcp.json", "mcpServers"),
        "vscode": (".config/Code/User/mcp.json", "servers"),
    }
    arguments = [part for name in places for part in ("--client", name)]
    done = cli("connect", "--api-key", KEY, "--yes", *arguments)
    assert done.returncode == 0
    env = {"CHAOJIYUYAN_API_KEY": KEY, "HEBING_BASE_URL": PRODUCTION}
    for name, (path, container) in places.items():
        entry = entry_in(cli.home / path, container)
        kind = {"type": "stdio"} if name == "vscode" else {}
        assert entry == {**kind, "command": str(COMMAND), "args": ["mcp-server"], "env": env}


def test_all_means_those_that_are_installed_and_the_list_names_the_others(cli: Cli) -> None:
    (cli.home / ".config" / "Code" / "User").mkdir(parents=True)
    done = cli("connect", "--api-key", KEY, "--yes", "--client", "all")
    listed = dict(re.findall(r"^  (\S.*?)  +(.*)$", done.stdout, re.MULTILINE))
    assert listed["~/.claude/mcp.json"] == listed["VS Code"] == "written"
    assert listed["Cursor"] == listed["Claude Desktop"] == listed["Claude Code"] == "not found"
    (cli.home / ".cursor").mkdir()
    done = cli("connect", "--api-key", KEY, "--yes")
    assert "chaojiyuyan connect --client cursor" in done.stdout


def test_a_client_with_comments_is_refused_and_the_others_written(cli: Cli) -> None:
    settings = cli.home / ".config" / "Code" / "User" / "mcp.json"
    settings.parent.mkdir(parents=True)
    settings.write_text("{\n  // mine\n}\n")
    done = cli("connect", "--api-key", KEY, "--yes", "--client", "vscode", "--client", "cursor")
    assert done.returncode == 1
    assert settings.read_text() == "{\n  // mine\n}\n"
    snippet = json.loads(done.stderr.partition("by hand:\n")[2])
    assert snippet["servers"]["chaojiyuyan"]["type"] == "stdio"
    assert KEY not in done.stderr
    assert entry_in(cli.home / ".cursor" / "mcp.json")
    assert entry_in(cli.mcp_json)


def test_claude_code_is_told_by_its_own_command_without_the_key(cli: Cli, claude: Path) -> None:
    done = cli("connect", "--api-key", KEY, "--yes")
    assert done.returncode == 0
    *arguments, text = claude.read_text().splitlines()
    assert arguments == ["mcp", "add-json", "-s", "user", "chaojiyuyan"]
    assert json.loads(text) == {
        "type": "stdio",
        "command": str(COMMAND),
        "args": ["mcp-server"],
        "env": {"HEBING_BASE_URL": PRODUCTION},
    }


def test_a_claude_that_fails_is_told_and_the_rest_done(cli: Cli, claude: Path) -> None:
    (claude.parent / "bin" / "claude").write_text("#!/bin/sh\necho 'no \033[31mway' >&2; exit 3\n")
    done = cli("connect", "--api-key", KEY, "--yes")
    assert done.returncode == 1
    assert "`claude mcp add-json` failed: no \\u001b[31mway" in done.stderr
    assert entry_in(cli.mcp_json)


def test_a_program_without_a_path_starts_the_entrys_command(cli: Cli) -> None:
    cli("connect", "--api-key", KEY, "--yes")
    entry = entry_in(cli.mcp_json)
    cli.command = [str(entry["command"]), "version"]
    assert cli(PATH="").returncode == 0


# --- and back ------------------------------------------------------------------------------------


def test_disconnect_undoes_what_connect_did(cli: Cli) -> None:
    cursor = cli.home / ".cursor" / "mcp.json"
    cursor.parent.mkdir()
    cursor.write_text('{"mcpServers": {"mine": {"command": "x"}} }')
    by_hand = cli.home / ".config" / "Claude" / "claude_desktop_config.json"
    by_hand.parent.mkdir(parents=True)
    by_hand.write_text('{"mcpServers": {"chaojiyuyan": {"command": "y"}}}')
    target = cli.home / "folder" / "named.json"
    target.parent.mkdir()
    target.write_text("{}")
    cli("connect", "--api-key", KEY, "--yes", "--client", "cursor")
    cli.folder = target.parent
    cli("connect", "--api-key", KEY, "--yes", "--target", "named.json")
    cli.folder = cli.home
    done = cli("disconnect", "--yes")
    assert done.returncode == 0
    assert f"Cleared credentials from {cli.credentials}." in done.stdout
    assert saved(cli) is None
    assert cursor.read_text() == '{"mcpServers": {"mine": {"command": "x"}} }'
    assert target.read_text() == "{}"
    assert json.loads(cli.mcp_json.read_text()) == {}
    assert "command" in by_hand.read_text()
    again = cli("disconnect", "--yes")
    assert again.stdout.splitlines()[0] == "No saved credentials."
    assert "nothing to do" in again.stdout


def test_disconnect_takes_out_what_an_earlier_release_wrote(cli: Cli) -> None:
    cli.mcp_json.parent.mkdir()
    cli.mcp_json.write_text('{"mcpServers": {"chaojiyuyan": {"command": "chaojiyuyan"}}}')
    assert cli("disconnect", "--yes").returncode == 0
    assert json.loads(cli.mcp_json.read_text()) == {}


def test_disconnect_asks_first_and_can_leave_the_clients_alone(cli: Cli) -> None:
    cli("connect", "--api-key", KEY, "--yes")
    done = cli("disconnect", stdin="n\n")
    assert "Remove 'chaojiyuyan' entry" in done.stdout
    assert KEY not in done.stdout
    assert entry_in(cli.mcp_json)
    cli("login", "--api-key", KEY)
    done = cli("disconnect", "--keep-mcp")
    assert done.stdout.startswith("Cleared credentials")
    assert entry_in(cli.mcp_json)


def test_disconnect_from_a_target_leaves_the_others(cli: Cli) -> None:
    target = cli.home / "named.json"
    cli("connect", "--api-key", KEY, "--yes", "--target", str(target))
    cli("connect", "--api-key", KEY, "--yes")
    assert cli("disconnect", "--yes", "--target", str(target)).returncode == 0
    assert json.loads(target.read_text()) == {}
    assert entry_in(cli.mcp_json)


def test_logout_forgets_one_profile_and_mentions_the_environment(cli: Cli) -> None:
    cli("login", "--api-key", KEY)
    cli("login", "--api-key", KEY, "--profile", "work")
    done = cli("logout", "--profile", "work", HEBING_API_KEY=KEY)
    assert "Cleared credentials" in done.stdout
    assert "HEBING_API_KEY is still set" in done.stdout
    assert saved(cli)
    assert saved(cli, "work") is None


# --- device login --------------------------------------------------------------------------------


def test_a_device_login_that_is_approved(cli: Cli, kernel: LocalKernel) -> None:
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


def test_a_device_login_that_is_denied(cli: Cli, kernel: LocalKernel) -> None:
    process = cli.start("connect", "--base-url", kernel.base_url)
    kernel.deny_login(code_of(process))
    _, stderr = finish(process)
    assert process.returncode == 2
    assert stderr.startswith("Login failed: ")
    assert stderr.count("\n") == 1
    assert cli.files() == set()


def test_ctrl_c_while_waiting_for_approval(cli: Cli, kernel: LocalKernel) -> None:
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
def test_a_terminal_is_offered_the_browser_and_sees_the_time_run_out(
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
