"""`connect` and `login` with a key change the credentials file and the MCP clients."""

from __future__ import annotations

import json
import os
import re
import stat
from typing import TYPE_CHECKING

import pytest

from support.command_line import COMMAND, KEY, entry_in, saved

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from chaojiyuyan_devserver.testing import LocalKernel
    from support.command_line import Cli
    from support.terminal import Terminal

PRODUCTION = "https://pic.chaojiyuyan.com/api/v1"


@pytest.fixture
def claude(cli: Cli, tmp_path: Path) -> Path:
    """Put a program named claude on PATH, and return the file to which it writes its arguments."""
    folder = tmp_path / "bin"
    folder.mkdir()
    notes = tmp_path / "claude-arguments"
    program = folder / "claude"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {notes}\n')
    program.chmod(0o755)
    cli.env["PATH"] = f"{folder}{os.pathsep}{cli.env['PATH']}"
    return notes


# --- with a key ----------------------------------------------------------------------------------


def test_a_given_key_is_saved_but_never_shown(cli: Cli) -> None:
    done = cli("connect", "--no-verify", "--api-key", KEY, "--yes")
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
    done = cli("connect", "--no-verify", "--api-key", "-", stdin=f"{KEY}\ny\n")
    assert done.returncode == 0
    assert "[y/N]" in done.stdout
    assert entry_in(cli.mcp_json)
    assert KEY not in done.stdout
    assert saved(cli)


def test_the_key_comes_from_a_hidden_prompt(cli: Cli, terminal: Callable[..., Terminal]) -> None:
    shown = terminal("login", "--no-verify", "--api-key", "-")
    shown.expect("Agent key: ")
    shown.send(f"{KEY}\n")
    assert shown.end() == 0
    assert KEY not in shown.text
    assert saved(cli) == {"api_key": KEY, "base_url": PRODUCTION}


@pytest.mark.parametrize("key", ["", " ", "a\rb", "a\x1bb", "名字"])
def test_an_invalid_key_is_refused_and_not_saved(cli: Cli, key: str) -> None:
    for arguments, stdin in ((["--api-key", key], ""), (["--api-key", "-"], f"{key}\n")):
        done = cli("connect", "--yes", *arguments, stdin=stdin)
        if "\r" in key and stdin:  # a line of standard input ends there
            continue
        assert done.returncode == 1, key
        assert done.stderr.count("\n") == 1
        assert cli.files() == set()


def test_the_answer_no_or_end_of_input_leaves_the_file_unchanged(cli: Cli) -> None:
    for answer in ("n\n", ""):
        done = cli("connect", "--no-verify", "--api-key", KEY, stdin=answer)
        assert done.returncode == 0
        assert f"Apply this change to {cli.mcp_json}? [y/N]" in done.stdout
        assert "Aborted" in done.stdout
        assert "nxt_…cret" in done.stdout
        assert KEY not in done.stdout
        assert not cli.mcp_json.exists()
        assert saved(cli)


def test_after_the_answer_no_nothing_is_reported_as_done(cli: Cli) -> None:
    done = cli("connect", "--no-verify", "--api-key", KEY, stdin="n\n")
    assert "restart" not in done.stdout
    assert "no MCP client was changed" in done.stdout


def test_a_refused_key_is_not_saved(cli: Cli, kernel: LocalKernel) -> None:
    for command in (["connect", "--yes"], ["login"]):
        done = cli(*command, "--api-key", KEY, "--base-url", kernel.base_url)
        assert done.returncode == 2
        assert "401" in done.stderr
        assert "Connected" not in done.stdout
        assert cli.files() == set()
    done = cli("login", "--api-key", KEY, "--base-url", kernel.base_url, "--no-verify")
    assert done.returncode == 0
    assert saved(cli)


def test_an_accepted_key_is_saved(cli: Cli, kernel: LocalKernel) -> None:
    done = cli("login", "--api-key", kernel.api_key, "--base-url", kernel.base_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert (saved(cli) or {})["api_key"] == kernel.api_key


def test_a_platform_that_cannot_be_reached_is_a_warning(cli: Cli) -> None:
    done = cli("login", "--api-key", KEY, "--base-url", "http://127.0.0.1:9/api/v1")
    assert done.returncode == 0
    assert done.stderr.startswith("Warning: the key could not be checked: ")
    assert saved(cli)


def test_a_base_url_without_its_path_is_a_warning(cli: Cli, kernel: LocalKernel) -> None:
    origin = kernel.base_url.removesuffix("/api/v1")
    done = cli("login", "--api-key", kernel.api_key, "--base-url", origin)
    assert done.returncode == 0
    assert f"Did you mean {kernel.base_url} ?" in done.stderr


def test_ctrl_c_at_a_prompt_prints_one_line(cli: Cli, terminal: Callable[..., Terminal]) -> None:
    shown = terminal("connect", "--no-verify", "--api-key", KEY)
    shown.expect(r"\[y/N\]")
    shown.interrupt_prompt()
    assert shown.end() == 130
    assert "Interrupted." in shown.text
    assert "Traceback" not in shown.text
    assert not cli.mcp_json.exists()


def test_connecting_again_changes_nothing(cli: Cli) -> None:
    cli("connect", "--no-verify", "--api-key", KEY, "--yes")
    before = cli.files()
    done = cli("connect", "--no-verify", "--api-key", KEY)
    assert "no change" in done.stdout
    assert cli.files() == before


def test_with_target_no_other_file_is_written(cli: Cli, claude: Path) -> None:
    target = cli.home / "x" / "mcp.json"
    done = cli("connect", "--no-verify", "--api-key", KEY, "--yes", "--target", str(target))
    assert done.returncode == 0
    assert entry_in(target)
    assert not cli.mcp_json.exists()
    assert not claude.exists()
    assert cli("connect", "--target", "x", "--client", "cursor").returncode == 2


def test_no_key_writes_the_key_to_the_credentials_file_only(cli: Cli) -> None:
    (cli.home / ".cursor").mkdir()
    cli(
        "connect",
        "--no-verify",
        "--api-key",
        KEY,
        "--yes",
        "--no-key",
        "--client",
        "all",
        "--profile",
        "work",
    )
    assert entry_in(cli.mcp_json)["env"] == {
        "HEBING_BASE_URL": PRODUCTION,
        "CHAOJIYUYAN_PROFILE": "work",
    }
    holders = [p for p in cli.home.rglob("*") if p.is_file() and KEY in p.read_text()]
    assert holders == [cli.credentials]
    assert saved(cli, "work")
    assert saved(cli) is None


def test_the_base_url_comes_from_option_environment_or_production(cli: Cli) -> None:
    cli.log_in("https://before.example")
    cases = [
        (["--base-url", "https://option.example"], "https://option.example", "--base-url"),
        ([], "https://environment.example", "HEBING_BASE_URL"),
    ]
    for arguments, url, source in cases:
        env = {"HEBING_BASE_URL": "https://environment.example"}
        done = cli("connect", "--no-verify", "--api-key", KEY, "--yes", *arguments, **env)
        assert f"Base URL: {url} ({source})" in done.stdout
        assert (saved(cli) or {})["base_url"] == url
        assert entry_in(cli.mcp_json)["env"]["HEBING_BASE_URL"] == url  # type: ignore[index]
    assert PRODUCTION in cli("login", "--no-verify", "--api-key", KEY).stdout
    assert (saved(cli) or {})["base_url"] == PRODUCTION


# --- dry runs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [[], ["--api-key", KEY], ["--api-key", "-"]])
def test_a_dry_run_neither_asks_nor_writes(cli: Cli, claude: Path, key: list[str]) -> None:
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
        "windsurf": (".codeium/windsurf/mcp_config.json", "mcpServers"),
        "gemini-cli": (".gemini/settings.json", "mcpServers"),
        "claude-desktop": (".config/Claude/claude_desktop_config.json", "mcpServers"),
        "cursor": (".cursor/mcp.json", "mcpServers"),
        "vscode": (".config/Code/User/mcp.json", "servers"),
    }
    arguments = [part for name in places for part in ("--client", name)]
    done = cli("connect", "--no-verify", "--api-key", KEY, "--yes", *arguments)
    assert done.returncode == 0
    env = {"HEBING_BASE_URL": PRODUCTION}
    for name, (path, container) in places.items():
        entry = entry_in(cli.home / path, container)
        kind = {"type": "stdio"} if name == "vscode" else {}
        assert entry == {**kind, "command": str(COMMAND), "args": ["mcp-server"], "env": env}


def test_with_key_writes_the_key_to_every_file(cli: Cli) -> None:
    cli("connect", "--no-verify", "--api-key", KEY, "--yes", "--with-key", "--client", "cursor")
    env = entry_in(cli.home / ".cursor" / "mcp.json")["env"]
    assert env == {"CHAOJIYUYAN_API_KEY": KEY, "HEBING_BASE_URL": PRODUCTION}


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes")
def test_a_warning_for_a_key_that_other_users_can_read(cli: Cli) -> None:
    cli.mcp_json.parent.mkdir()
    cli.mcp_json.write_text("{}")
    cli.mcp_json.chmod(0o644)
    done = cli("connect", "--no-verify", "--api-key", KEY, "--yes")
    assert f"chmod go-rwx {cli.mcp_json}" in done.stderr
    assert stat.S_IMODE(cli.mcp_json.stat().st_mode) == 0o644
    found = json.loads(cli("doctor", "--json").stdout)["checks"]
    [check] = [check for check in found if check["name"] == "~/.claude/mcp.json"]
    assert check["status"] == "warning"
    assert "nxt_…cret" not in done.stderr


def test_codex_is_connected_and_comments_stay(cli: Cli) -> None:
    config = cli.home / ".codex" / "config.toml"
    config.parent.mkdir()
    before = '# mine\nmodel = "o3"  # a choice\n\n[mcp_servers.other]\ncommand = "x"\n'
    config.write_text(before)
    done = cli("connect", "--no-verify", "--api-key", KEY, "--yes", "--client", "codex")
    assert done.returncode == 0
    assert config.read_text() == before + (
        "\n[mcp_servers.chaojiyuyan]\n"
        f'command = "{COMMAND}"\nargs = ["mcp-server"]\n'
        f'env = {{ HEBING_BASE_URL = "{PRODUCTION}" }}\n'
    )
    assert cli("disconnect", "--yes").returncode == 0
    assert config.read_text() == before


COMMAND_JSON = json.dumps(str(COMMAND))
ENV_JSON = f'{{"HEBING_BASE_URL": "{PRODUCTION}"}}'
ENTRY_JSON = f'{{"command": {COMMAND_JSON}, "args": ["mcp-server"], "env": {ENV_JSON}}}'

BYTES = {
    "claude-desktop": (
        ".config/Claude/claude_desktop_config.json",
        '{"globalShortcut":"é",  "mcpServers": {"a": {"env": {"T": 1.10}} } }',
        (
            '{"globalShortcut":"é",  "mcpServers": {"a": {"env": {"T": 1.10}}, '
            f'"chaojiyuyan": {ENTRY_JSON} }} }}'
        ),
    ),
    "cursor": (
        ".cursor/mcp.json",
        '{"mcpServers": {}, "mcpServers": {"x": "\\u00e9"}}\r\n',
        (
            '{"mcpServers": {}, "mcpServers": {"x": "\\u00e9", "chaojiyuyan": '
            f"{ENTRY_JSON}}}}}\r\n"
        ),
    ),
    "vscode": (
        ".config/Code/User/mcp.json",
        '{"inputs": [ ], "servers":{"a":1}}',
        '{"inputs": [ ], "servers":{"a":1, "chaojiyuyan": '
        + ENTRY_JSON.replace("{", '{"type": "stdio", ', 1)
        + "}}",
    ),
    "windsurf": (
        ".codeium/windsurf/mcp_config.json",
        "{}",
        (
            '{\n  "mcpServers": {\n    "chaojiyuyan": {\n'
            f'      "command": {COMMAND_JSON},\n      "args": [\n        "mcp-server"\n      ],\n'
            f'      "env": {{\n        "HEBING_BASE_URL": "{PRODUCTION}"\n      }}\n'
            f"    }}\n  }}\n}}"
        ),
    ),
    "gemini-cli": (
        ".gemini/settings.json",
        '\ufeff{"ui": {"theme": "x"}}\n',
        f'\ufeff{{"ui": {{"theme": "x"}}, "mcpServers": {{"chaojiyuyan": {ENTRY_JSON}}}}}\n',
    ),
    "codex": (
        ".codex/config.toml",
        '# é\r\nmodel = "o3"\r\n',
        (
            '# é\r\nmodel = "o3"\r\n\r\n[mcp_servers.chaojiyuyan]\r\n'
            f'command = {COMMAND_JSON}\r\nargs = ["mcp-server"]\r\n'
            f'env = {{ HEBING_BASE_URL = "{PRODUCTION}" }}\r\n'
        ),
    ),
}


@pytest.mark.parametrize("client", BYTES)
def test_each_file_is_edited_byte_for_byte(cli: Cli, client: str) -> None:
    name, before, after = BYTES[client]
    path = cli.home / name
    path.parent.mkdir(parents=True)
    path.write_bytes(before.encode())
    done = cli("connect", "--no-verify", "--api-key", KEY, "--yes", "--client", client)
    assert done.returncode == 0, done.stderr
    assert path.read_bytes().decode() == after
    assert cli("disconnect", "--yes").returncode == 0
    assert path.read_bytes() == before.encode()


def test_client_all_connects_the_installed_clients(cli: Cli) -> None:
    (cli.home / ".config" / "Code" / "User").mkdir(parents=True)
    done = cli("connect", "--no-verify", "--api-key", KEY, "--yes", "--client", "all")
    listed = dict(re.findall(r"^  (\S.*?)  +(.*)$", done.stdout, re.MULTILINE))
    assert listed["~/.claude/mcp.json"] == listed["VS Code"] == "connected"
    assert listed["Cursor"] == listed["Claude Desktop"] == listed["Claude Code"] == "not found"
    (cli.home / ".cursor").mkdir()
    done = cli("connect", "--no-verify", "--api-key", KEY, "--yes")
    assert "chaojiyuyan connect --client cursor" in done.stdout


def test_a_file_with_comments_is_refused_and_others_are_written(cli: Cli) -> None:
    settings = cli.home / ".config" / "Code" / "User" / "mcp.json"
    settings.parent.mkdir(parents=True)
    settings.write_text("{\n  // mine\n}\n")
    done = cli(
        "connect",
        "--no-verify",
        "--api-key",
        KEY,
        "--yes",
        "--client",
        "vscode",
        "--client",
        "cursor",
    )
    assert done.returncode == 1
    assert settings.read_text() == "{\n  // mine\n}\n"
    snippet = json.loads(done.stderr.partition("by hand:\n")[2])
    assert snippet["servers"]["chaojiyuyan"]["type"] == "stdio"
    assert KEY not in done.stderr
    assert entry_in(cli.home / ".cursor" / "mcp.json")
    assert entry_in(cli.mcp_json)


def test_claude_code_is_registered_by_its_command_without_the_key(cli: Cli, claude: Path) -> None:
    done = cli("connect", "--no-verify", "--api-key", KEY, "--yes")
    assert done.returncode == 0
    *arguments, text = claude.read_text().splitlines()
    assert arguments == ["mcp", "add-json", "-s", "user", "chaojiyuyan"]
    assert json.loads(text) == {
        "type": "stdio",
        "command": str(COMMAND),
        "args": ["mcp-server"],
        "env": {"HEBING_BASE_URL": PRODUCTION},
    }


def test_a_failing_claude_command_is_reported_and_the_rest_done(cli: Cli, claude: Path) -> None:
    (claude.parent / "bin" / "claude").write_text("#!/bin/sh\necho 'no \033[31mway' >&2; exit 3\n")
    done = cli("connect", "--no-verify", "--api-key", KEY, "--yes")
    assert done.returncode == 1
    assert "`claude mcp add-json` failed: no \\u001b[31mway" in done.stderr
    assert entry_in(cli.mcp_json)


def test_the_entrys_command_starts_without_a_path(cli: Cli) -> None:
    cli("connect", "--no-verify", "--api-key", KEY, "--yes")
    entry = entry_in(cli.mcp_json)
    cli.command = [str(entry["command"]), "version"]
    assert cli(PATH="").returncode == 0
