"""The command in an entry, and the record of connected clients."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

import pytest

from chaojiyuyan_cli._clients.record import Connection, Connections
from chaojiyuyan_cli._clients.wiring import find_server_command


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for the scripts of a Python environment."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(folder))
    return folder


def script(folder: Path) -> Path:
    path = folder / "chaojiyuyan"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="a script's name differs there")
class TestTheCommandOfAnEntry:
    def test_the_command_is_the_running_script_with_its_link(
        self, scripts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        link = tmp_path / "bin" / "chaojiyuyan"
        link.parent.mkdir()
        link.symlink_to(script(scripts))
        monkeypatch.setattr(sys, "argv", ["bin/chaojiyuyan"])
        monkeypatch.chdir(tmp_path)
        assert find_server_command() == [str(link), "mcp-server"]

    def test_otherwise_it_is_the_script_of_the_environment(
        self, scripts: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "argv", ["/lib/chaojiyuyan_cli/__main__.py"])
        path = script(scripts)
        assert find_server_command() == [str(path), "mcp-server"]
        path.chmod(0o644)
        assert find_server_command()[0] == sys.executable

    @pytest.mark.usefixtures("scripts")
    def test_otherwise_it_is_the_interpreter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "argv", ["/gone/chaojiyuyan"])
        assert find_server_command() == [sys.executable, "-m", "chaojiyuyan_cli", "mcp-server"]


def test_the_record_has_each_entry_once(tmp_path: Path) -> None:
    record = Connections(tmp_path / "folder" / "connections.json")
    first, second = Connection("cursor", Path("/a")), Connection("file", Path("/b"))
    for connection in (first, second, first):
        record.add(connection)
    assert record.list_all() == [second, first]
    record.remove(second)
    record.remove(second)
    assert Connections(tmp_path / "folder" / "connections.json").list_all() == [first]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"connections": [{}]}', '{"connections": 1}'])
def test_an_unreadable_record_counts_as_empty(tmp_path: Path, content: str) -> None:
    path = tmp_path / "connections.json"
    path.write_text(content)
    assert Connections(path).list_all() == []
    Connections(path).add(Connection("file", Path("/b")))
    assert Connections(path).list_all() == [Connection("file", Path("/b"))]
