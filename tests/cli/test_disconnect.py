"""`disconnect` and `logout` undo `connect`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from support.command_line import KEY, entry_in, saved

if TYPE_CHECKING:
    from support.command_line import Cli


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
    cli("connect", "--no-verify", "--api-key", KEY, "--yes", "--client", "cursor")
    cli.folder = target.parent
    cli("connect", "--no-verify", "--api-key", KEY, "--yes", "--target", "named.json")
    cli.folder = cli.home
    done = cli("disconnect", "--yes")
    assert done.returncode == 0
    assert f"Cleared credentials from {cli.credentials}." in done.stdout
    assert saved(cli) is None
    assert cursor.read_text() == '{"mcpServers": {"mine": {"command": "x"}} }'
    assert target.read_text() == "{}"
    assert json.loads(cli.mcp_json.read_text()) == {}
    assert "command" in by_hand.read_text()
    record = cli.home / ".chaojiyuyan" / "connections.json"
    assert json.loads(record.read_text()) == {"connections": []}
    again = cli("disconnect", "--yes")
    assert again.stdout.splitlines()[0] == "No saved credentials."
    assert "nothing to do" in again.stdout


def test_disconnect_removes_the_key_from_backups(cli: Cli) -> None:
    cli("connect", "--no-verify", "--api-key", KEY, "--yes")
    old = cli.mcp_json.with_name("mcp.json.backup-20250101000000")
    old.write_bytes(cli.mcp_json.read_bytes())
    cli("connect", "--no-verify", "--api-key", "nxt_ag_another_key_after", "--yes")
    assert len(list(cli.mcp_json.parent.glob("*.backup-*"))) == 2
    done = cli("disconnect", "--yes")
    assert f"Removed the key from the backup {old}" in done.stdout
    files = [path for path in cli.home.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert not [path for path in files if "nxt_" in path.read_text()]


def test_one_broken_client_does_not_stop_the_others(cli: Cli) -> None:
    cli("connect", "--no-verify", "--api-key", KEY, "--yes", "--client", "cursor")
    cli.mcp_json.write_text("{ // mine\n}")
    done = cli("disconnect", "--yes")
    assert done.returncode == 1
    assert str(cli.mcp_json) in done.stderr
    assert json.loads((cli.home / ".cursor" / "mcp.json").read_text()) == {}
    assert saved(cli) is None


def test_disconnect_removes_the_entry_of_an_earlier_release(cli: Cli) -> None:
    cli.mcp_json.parent.mkdir()
    cli.mcp_json.write_text('{"mcpServers": {"chaojiyuyan": {"command": "chaojiyuyan"}}}')
    assert cli("disconnect", "--yes").returncode == 0
    assert json.loads(cli.mcp_json.read_text()) == {}


def test_disconnect_asks_first_and_can_keep_the_clients(cli: Cli) -> None:
    cli("connect", "--no-verify", "--api-key", KEY, "--yes")
    before = {path: path.read_bytes() for path in cli.home.rglob("*") if path.is_file()}
    for answer in ("n\n", ""):
        done = cli("disconnect", stdin=answer)
        assert done.returncode == 1
        assert '-    "chaojiyuyan": {' in done.stdout
        assert "[y/N]" in done.stdout
        assert "nothing was changed" in done.stdout
        assert KEY not in done.stdout
        assert before == {path: path.read_bytes() for path in cli.home.rglob("*") if path.is_file()}
    done = cli("disconnect", stdin="y\n")
    assert done.returncode == 0
    assert saved(cli) is None
    assert json.loads(cli.mcp_json.read_text()) == {}
    cli("connect", "--no-verify", "--api-key", KEY, "--yes")
    cli("login", "--no-verify", "--api-key", KEY)
    done = cli("disconnect", "--keep-mcp")
    assert done.stdout.startswith("Cleared credentials")
    assert entry_in(cli.mcp_json)


def test_disconnect_from_a_target_leaves_the_others(cli: Cli) -> None:
    target = cli.home / "named.json"
    cli("connect", "--no-verify", "--api-key", KEY, "--yes", "--target", str(target))
    cli("connect", "--no-verify", "--api-key", KEY, "--yes")
    assert cli("disconnect", "--yes", "--target", str(target)).returncode == 0
    assert json.loads(target.read_text()) == {}
    assert entry_in(cli.mcp_json)


def test_logout_removes_one_profile_and_names_the_environment(cli: Cli) -> None:
    cli("login", "--no-verify", "--api-key", KEY)
    cli("login", "--no-verify", "--api-key", KEY, "--profile", "work")
    done = cli("logout", "--profile", "work", HEBING_API_KEY=KEY)
    assert "Cleared credentials" in done.stdout
    assert "HEBING_API_KEY is still set" in done.stdout
    assert saved(cli)
    assert saved(cli, "work") is None
