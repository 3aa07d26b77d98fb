"""Tables, escaping, and output on a terminal."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from chaojiyuyan_cli import _table as table
from chaojiyuyan_cli._output import cell_width, cut, echo_json, escape, render_json
from chaojiyuyan_cli._spinner import describe_duration
from chaojiyuyan_cli._table import echo_table
from support.command_line import KEY

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.fake_platform import FakePlatform
    from support.terminal import Terminal

CATALOG = [
    {"capability_key": "text.digest.v1", "price_nc": 2, "name": "Text digest"},
    {"capability_key": "图像.生成.v1", "price_nc": 1200, "name": "图像生成 👩‍🚀 " * 12},
]


@settings(deadline=None)
@given(st.text())
def test_escaped_text_has_no_control_characters(text: str) -> None:
    shown = escape(text)
    assert all(
        character.isprintable() or character.isspace()
        for character in shown
        if ord(character) < 0xA0
    )
    assert not set(shown) & set("\x1b\n\r\x9b\u202e\u2066\u2028")
    shown.encode()


def test_columns_are_aligned_by_display_width(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [["a", 5, "plain"], ["键值", 12, "wide"], ["e\u0301x", 700, "combining"]]
    echo_table(["KEY", "PRICE", "NAME"], rows)
    lines = capsys.readouterr().out.splitlines()
    names = ["NAME", "plain", "wide", "combining"]
    starts = {cell_width(line[: line.index(name)]) for line, name in zip(lines, names, strict=True)}
    assert len(starts) == 1
    assert [
        line[: line.index(name)].split()[-1]
        for line, name in zip(lines[1:], names[1:], strict=True)
    ] == ["5", "12", "700"]


def test_a_table_that_is_piped_is_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    echo_table(["NAME"], [["长" * 300]])
    assert "长" * 300 in capsys.readouterr().out


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.text(max_size=60), st.text(max_size=60)), max_size=4), st.integers(20, 60)
)
def test_a_row_fits_the_terminal_but_keeps_the_id(
    rows: list[tuple[str, str]], columns: int
) -> None:
    shown: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        patch.setattr(table.click, "echo", lambda text, **_: shown.append(text))
        patch.setattr(table.click, "secho", lambda text, **_: shown.append(text))
        echo_table(["FIRST", "SECOND"], rows)
    assert len(shown) == len(rows) + 1
    ids = [escape(first) for first, _ in rows]
    widest = max([columns, *map(cell_width, ids)])
    assert all(cell_width(line) <= widest for line in shown)
    assert all(line.startswith(first.rstrip()) for line, first in zip(shown[1:], ids, strict=True))


def test_columns_are_dropped_before_the_id_is_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = ["job_0123456789abcdef", "succeeded", "text.digest.v1", 2]
    shown = {}
    for columns in (60, 40, 36, 30, 10):
        monkeypatch.setenv("COLUMNS", str(columns))
        echo_table(["JOB", "STATUS", "CAPABILITY", "PRICE"], [row])
        shown[columns] = capsys.readouterr().out.splitlines()[1]
    assert shown == {
        60: "job_0123456789abcdef  succeeded  text.digest.v1      2",
        40: "job_0123456789abcdef  succe…  text.dige…",
        36: "job_0123456789abcdef  succeeded",
        30: "job_0123456789abcdef  succeed…",
        10: "job_0123456789abcdef",
    }


@pytest.mark.parametrize("encoding", ["cp1252", "cp936", "ascii", "latin-1", "utf-16", "utf-8"])
@given(value=st.recursive(st.text(), st.lists))
def test_json_is_valid_on_every_encoding(encoding: str, value: object) -> None:
    shown = render_json(value, encoding)
    shown.encode(encoding)
    assert json.loads(shown) == value


def test_nan_and_infinity_become_null_in_json() -> None:
    shown = render_json({"a": [float("nan"), float("-inf"), 1.5]}, "utf-8", indent=None)
    assert shown == '{"a": [null, null, 1.5]}'


def test_a_very_long_text_is_cut_quickly() -> None:
    assert cut("名" * 1_000_000, 10) == "名名名名…"


def test_a_redrawn_line_stays_on_one_line(
    terminal: Callable[..., Terminal], platform: FakePlatform
) -> None:
    platform.say("/capability-specs", [])
    platform.say("/kernel-jobs", {"id": "j", "status": "名" * 300})
    platform.say("/kernel-jobs/j", {"id": "j", "status": "名" * 300})
    env = {"CHAOJIYUYAN_API_KEY": KEY, "HEBING_BASE_URL": platform.base_url}
    shown = terminal("call", "x", "--wait", "--timeout", "0.5", columns=40, **env)
    assert shown.end() == 2
    frames = re.findall(r"\r([^\r\x1b\n]+)\x1b\[K", shown.text)
    assert frames
    assert max(map(cell_width, frames)) < 40


def test_json_is_readable_and_safe(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"name": "名字", "text": "a\nb\x1b\u202e\ud800"}
    echo_json(value)
    shown = capsys.readouterr().out
    assert "名字" in shown
    assert not set("\x1b\u202e\ud800") & set(shown)
    assert json.loads(shown) == value


def test_durations() -> None:
    assert [describe_duration(s) for s in (0, 59.9, 60, 605)] == ["0 s", "59 s", "1:00", "10:05"]


def test_a_table_on_a_terminal_fits_and_has_colours(
    terminal: Callable[..., Terminal], platform: FakePlatform
) -> None:
    platform.say("/capability-specs", CATALOG)
    env = {"CHAOJIYUYAN_API_KEY": KEY, "HEBING_BASE_URL": platform.base_url}
    shown = terminal("capabilities", columns=60, **env)
    assert shown.end() == 0
    assert "\x1b[1m" in shown.text
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown.text).splitlines()
    assert len(lines) == 3
    assert max(map(cell_width, lines)) <= 60
    assert "…" in lines[2]


@pytest.mark.parametrize("off", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_can_be_turned_off(
    terminal: Callable[..., Terminal], platform: FakePlatform, off: dict[str, str]
) -> None:
    platform.say("/capability-specs", CATALOG)
    env = {"CHAOJIYUYAN_API_KEY": KEY, "HEBING_BASE_URL": platform.base_url, **off}
    for command in ("capabilities", "doctor"):
        shown = terminal(command, **env)
        shown.end()
        assert "\x1b" not in shown.text
