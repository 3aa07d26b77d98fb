"""The entry of the MCP server in a client's file is written, shown, backed up and removed."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from chaojiyuyan_cli._clients.config_file import ConfigFile
from chaojiyuyan_cli._clients.json_text import JsonServers
from chaojiyuyan_cli.mcp_config import (
    DEFAULT_ARGS,
    DEFAULT_COMMAND,
    DEFAULT_MCP_PATH,
    DEFAULT_SERVER_KEY,
    McpWriterError,
    WriteResult,
    remove_hebing_mcp_entry,
    write_hebing_mcp_entry,
)

if TYPE_CHECKING:
    from pathlib import Path

KEY = "nxt_ag_abcdefghijklsecret"


class Terminal:
    """Records the texts of an edit, and gives the same answer to every question."""

    def __init__(self, answer: str | None = "y") -> None:
        self.answer = answer
        self.lines: list[str] = []
        self.questions: list[str] = []

    def print_fn(self, text: str) -> None:
        self.lines.append(text)

    def input_fn(self, question: str) -> str:
        self.questions.append(question)
        if self.answer is None:
            raise EOFError
        return self.answer

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "mcp.json"


def write(target: Path, terminal: Terminal, key: str = KEY, **options: object) -> WriteResult:
    return write_hebing_mcp_entry(
        key,
        target=target,
        print_fn=terminal.print_fn,
        input_fn=terminal.input_fn,
        **options,  # type: ignore[arg-type]
    )


def remove(target: Path, terminal: Terminal, **options: object) -> WriteResult:
    return remove_hebing_mcp_entry(
        target=target,
        print_fn=terminal.print_fn,
        input_fn=terminal.input_fn,
        **options,  # type: ignore[arg-type]
    )


def test_the_documented_defaults() -> None:
    assert (DEFAULT_SERVER_KEY, DEFAULT_COMMAND, DEFAULT_ARGS) == (
        "chaojiyuyan",
        "chaojiyuyan",
        ["mcp-server"],
    )
    assert DEFAULT_MCP_PATH.parts[-2:] == (".claude", "mcp.json")


def test_the_answer_yes_writes_the_documented_entry(target: Path) -> None:
    terminal = Terminal("y")
    result = write(target, terminal, extra_env={"HEBING_BASE_URL": "http://localhost:1"})
    assert json.loads(target.read_text()) == {
        "mcpServers": {
            "chaojiyuyan": {
                "command": "chaojiyuyan",
                "args": ["mcp-server"],
                "env": {"CHAOJIYUYAN_API_KEY": KEY, "HEBING_BASE_URL": "http://localhost:1"},
            }
        }
    }
    assert result == WriteResult(target, None, True, result.diff, "chaojiyuyan")
    assert terminal.questions == [f"Apply this change to {target}? [y/N] "]
    assert terminal.lines == [result.diff, f"Wrote {target}"]


@pytest.mark.parametrize("answer", ["n", "", "maybe", None])
def test_any_answer_but_yes_leaves_the_file_unchanged(target: Path, answer: str | None) -> None:
    target.write_text('{"a": 1}')
    terminal = Terminal(answer)
    result = write(target, terminal)
    assert not result.wrote
    assert result.diff
    assert target.read_text() == '{"a": 1}'
    assert "Aborted" in terminal.text
    assert list(target.parent.iterdir()) == [target]


def test_yes_skips_the_question_and_dry_run_the_write(target: Path) -> None:
    terminal = Terminal()
    assert not write(target, terminal, dry_run=True).wrote
    assert not target.exists()
    assert "+++" in terminal.text
    assert write(target, terminal, yes=True).wrote
    assert terminal.questions == []


def test_without_interaction_nothing_is_printed(target: Path) -> None:
    terminal = Terminal()
    assert write(target, terminal, interactive=False).wrote
    assert remove(target, terminal, interactive=False).wrote
    assert not remove(target, terminal, interactive=False).wrote
    assert terminal.lines == terminal.questions == []


def test_the_same_entry_again_changes_nothing(target: Path) -> None:
    write(target, Terminal())
    before = target.stat()
    terminal = Terminal()
    result = write(target, terminal)
    assert (result.wrote, result.diff, result.backup_path) == (False, "", None)
    assert "no change" in terminal.text
    assert terminal.questions == []
    assert target.stat() == before


def test_the_key_is_written_to_the_file_but_not_shown(target: Path) -> None:
    other = "nxt_ag_another_one_before"
    target.write_text(
        json.dumps({"mcpServers": {"x": {"env": {"GITHUB_TOKEN": "ghp_1"}}}}, indent=1)
    )
    shown = Terminal("y")
    write(target, shown, other)
    write(target, shown)
    write(target, shown, 'no "usual" key', dry_run=True)
    remove(target, shown)
    for secret in (KEY, other, "ghp_1", "usual"):
        assert secret not in shown.text
    assert "nxt_…cret" in shown.text
    assert "nxt_…fore" in shown.text


def test_a_backup_is_private_and_never_overwritten(target: Path) -> None:
    target.write_bytes(b'\xef\xbb\xbf{"a":\r\n 1}')
    target.chmod(0o644)
    backups = [write(target, Terminal(), yes=True, server_key=str(n)).backup_path for n in range(5)]
    assert len(set(backups)) == 5
    first = backups[0]
    assert first is not None
    assert first.read_bytes() == b'\xef\xbb\xbf{"a":\r\n 1}'
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
    for path in backups:
        assert path is not None
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert re.fullmatch(r"mcp\.json\.backup-\d{14}", first.name)


def test_a_backup_has_everything_except_our_key(target: Path) -> None:
    other = '{"mcpServers": {"mine" : {"env": {"GITHUB_TOKEN": "ghp_1"}}, "chaojiyuyan": '
    target.write_text(
        other + json.dumps({"command": "x", "env": {"CHAOJIYUYAN_API_KEY": KEY}}) + "}}"
    )
    backup = write(target, Terminal(), "nxt_ag_another_key_after", yes=True).backup_path
    assert backup is not None
    assert KEY not in backup.read_text()
    assert backup.read_text().startswith(other)
    entry = json.loads(backup.read_text())["mcpServers"]["chaojiyuyan"]
    assert entry == {"command": "x", "env": {"CHAOJIYUYAN_API_KEY": "<redacted>"}}


def test_a_backup_of_an_earlier_release_loses_its_key(target: Path) -> None:
    old = target.with_name("mcp.json.backup-20250101000000")
    odd = target.with_name("mcp.json.backup-notes")
    target.with_name("mcp.json.backup-0").mkdir()
    write(old, Terminal(), yes=True)
    odd.write_text(f"not JSON {KEY}")
    file = ConfigFile(target)
    assert file.redact_backups() == [old]
    assert KEY not in old.read_text()
    assert stat.S_IMODE(old.stat().st_mode) == 0o600
    assert file.redact_backups() == []
    assert odd.read_text() == f"not JSON {KEY}"


def test_entries_of_other_servers_are_not_shown(target: Path) -> None:
    target.write_text('{"mcpServers": {"mine": {"args": ["--password=hunter2"]}}}')
    shown = Terminal()
    write(target, shown)
    remove(target, shown)
    assert "hunter2" not in shown.text
    assert "mine" not in shown.text
    assert '"command": "chaojiyuyan"' in shown.text


def test_a_key_that_looks_the_same_masked_is_shown_as_changed(target: Path) -> None:
    write(target, Terminal(), "nxt_ag_one_and_the_end", yes=True)
    shown = Terminal("y")
    assert write(target, shown, "nxt_ag_two_and_the_end").wrote
    assert "(changed)" in shown.text


def test_the_byte_order_mark_and_the_newlines_stay(target: Path) -> None:
    before = b'\xef\xbb\xbf{\r\n  "\\u00e9": 1.0\r\n}\r\n'
    target.write_bytes(before)
    write(target, Terminal(), yes=True)
    written = target.read_bytes()
    assert written.startswith(b'\xef\xbb\xbf{\r\n  "\\u00e9": 1.0,\r\n  "mcpServers": {\r\n')
    assert b"\n" not in written.replace(b"\r\n", b"")
    remove(target, Terminal(), yes=True)
    assert target.read_bytes() == before


@settings(deadline=None, max_examples=30)
@given(
    other=st.dictionaries(st.text(), st.none() | st.integers() | st.text(), max_size=3),
    indent=st.sampled_from([None, 1, "\t"]),
    mark=st.sampled_from([b"", b"\xef\xbb\xbf"]),
)
def test_any_file_is_unchanged_after_adding_and_removing(
    tmp_path_factory: pytest.TempPathFactory,
    other: dict[str, object],
    indent: int | str | None,
    mark: bytes,
) -> None:
    target = tmp_path_factory.mktemp("any") / "mcp.json"
    before = mark + json.dumps(other, indent=indent).encode()
    target.write_bytes(before)
    assert write(target, Terminal(), interactive=False).wrote
    assert remove(target, Terminal(), interactive=False).wrote
    assert target.read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_symbolic_link_stays_a_link(target: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "mcp.json"
    real.parent.mkdir()
    real.write_text("{}")
    target.symlink_to(real)
    write(target, Terminal(), yes=True)
    assert target.is_symlink()
    assert "chaojiyuyan" in real.read_text()


def test_a_folder_keeps_its_mode(target: Path) -> None:
    target.parent.chmod(0o755)
    write(target, Terminal(), yes=True)
    assert stat.S_IMODE(target.parent.stat().st_mode) == 0o755


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b'{\n  // mine\n  "a": 1\n}', "not valid JSON"),
        (b'{"a": 1,}', "not valid JSON"),
        (b"null", "not a JSON object"),
        (b'{"mcpServers": null}', "not an object"),
        (b'{"\xff": 1}', "not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_edited_is_unchanged(target: Path, content: bytes, why: str) -> None:
    target.write_bytes(content)
    with pytest.raises(McpWriterError, match=why):
        write(target, Terminal(), yes=True)
    with pytest.raises(McpWriterError, match=why):
        remove(target, Terminal(), yes=True)
    assert target.read_bytes() == content
    assert list(target.parent.iterdir()) == [target]


def test_the_error_shows_the_snippet_without_the_key(target: Path) -> None:
    target.write_text("// comment\n{}")
    with pytest.raises(McpWriterError) as refusal:
        write(target, Terminal(), yes=True)
    snippet = str(refusal.value).partition("by hand:\n")[2]
    entry = json.loads(snippet)["mcpServers"]["chaojiyuyan"]
    assert entry["args"] == ["mcp-server"]
    assert entry["env"] == {"CHAOJIYUYAN_API_KEY": "<your agent key>"}


def test_a_directory_is_refused_as_target(tmp_path: Path) -> None:
    with pytest.raises(McpWriterError, match="is a directory"):
        write(tmp_path, Terminal(), yes=True)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes and devices there")
def test_a_pipe_and_a_device_are_refused_as_targets(tmp_path: Path) -> None:
    pipe, device = tmp_path / "pipe", tmp_path / "device"
    os.mkfifo(pipe)
    device.symlink_to("/dev/null")
    for target in (pipe, device):
        with pytest.raises(McpWriterError, match="not a regular file"):
            write(target, Terminal(), yes=True)
        with pytest.raises(McpWriterError, match="not a regular file"):
            remove(target, Terminal(), yes=True)


def test_an_entry_with_invalid_unicode_leaves_the_file_unchanged(target: Path) -> None:
    target.write_text("{}")
    with pytest.raises(McpWriterError, match="not valid Unicode"):
        write(target, Terminal(), yes=True, command="/opt/\udcff/chaojiyuyan")
    assert target.read_text() == "{}"


def test_removing_an_absent_entry_changes_nothing(target: Path) -> None:
    terminal = Terminal()
    assert not remove(target, terminal).wrote
    assert "nothing to do" in terminal.text
    assert not target.exists()


def test_removing_the_last_server_removes_the_container(target: Path) -> None:
    target.write_text('{"mcpServers": {"chaojiyuyan": {}}}')
    result = remove(target, Terminal("y"))
    assert json.loads(target.read_text()) == {}
    assert result.backup_path is not None


def test_another_container_and_entry(target: Path) -> None:
    file = ConfigFile(target, JsonServers("servers"))
    file.plan_write({"type": "stdio", "command": "x"}).apply()
    assert file.read_entry() == {"type": "stdio", "command": "x"}
    assert ConfigFile(target).read_entry() is None


WRITER = """
import sys
from chaojiyuyan_cli.mcp_config import write_hebing_mcp_entry
for number in range(4):
    name = f"{sys.argv[2]}-{number}"
    write_hebing_mcp_entry("k", target=sys.argv[1], server_key=name, interactive=False)
"""


def test_concurrent_writers_lose_nothing(target: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(target)]
    writers = [subprocess.Popen([*command, str(writer)]) for writer in range(4)]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    assert len(json.loads(target.read_text())["mcpServers"]) == 16
