"""Log lines: no key in them, no field replaced, no line forged."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from chaojiyuyan_worker._observe.logger import MAX_TEXT_CHARS, get_logger
from chaojiyuyan_worker._observe.logs import JsonFormatter, TextFormatter

C0 = [chr(code) for code in range(0x20)]
C1 = [chr(code) for code in range(0x7F, 0xA0)]
BREAKS = [*C0, *C1, "\u2028", "\u2029"]
FORGED = "2026-01-01 00:00:00,000 ERROR chaojiyuyan_worker: forged"


def record_of(text: str, **fields: object) -> logging.LogRecord:
    return logging.makeLogRecord(
        {"msg": "%s", "args": (text,), "name": "n", "levelname": "INFO", **fields}
    )


def raised(error: Exception) -> tuple:
    try:
        raise error
    except type(error):
        return sys.exc_info()


def lines_of(text: str) -> list[str]:
    """Split as a terminal, a collector or ``str.splitlines`` may."""
    return [line for part in text.splitlines() for line in part.split("\x1b")]


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_no_log_line_contains_a_key(formatter) -> None:
    fields = {"job_id": "job-1", "exc_info": raised(ValueError("key nxt_ag_0123456789abcdef"))}
    line = formatter.format(record_of("key nxt_ag_0123456789abcdef", **fields))
    assert "nxt_ag_0123456789" not in line
    assert "job-1" in line


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
@pytest.mark.parametrize("field", ["msg", "job_id"])
def test_text_of_a_job_cannot_forge_a_line(formatter, field) -> None:
    for character in BREAKS:
        text = f"a{character}{FORGED}"
        fields = {"msg": text, "args": ()} if field == "msg" else {"job_id": text}
        line = formatter.format(record_of("hello", **fields))
        assert len(lines_of(line)) == 1, repr(character)
        assert character not in line


def test_every_line_of_a_traceback_is_indented() -> None:
    for character in BREAKS:
        error = ValueError(f"a{character}{FORGED}\n{FORGED}")
        first, *rest = lines_of(TextFormatter().format(record_of("x", exc_info=raised(error))))
        assert "INFO n: x" in first
        assert len(rest) > 3
        assert all(line.startswith("    ") for line in rest), repr(character)


def test_a_stack_and_a_cached_traceback_are_indented() -> None:
    record = record_of("x", exc_text=f"Traceback\n{FORGED}", stack_info=f"Stack\n{FORGED}")
    _, *rest = TextFormatter().format(record).split("\n")
    assert rest == ["    Traceback", f"    {FORGED}", "    Stack", f"    {FORGED}"]


def test_an_exception_is_part_of_the_json_line() -> None:
    line = json.loads(JsonFormatter().format(record_of("x", exc_info=raised(ValueError("boom")))))
    assert "ValueError: boom" in line["exception"]


def test_json_lines_keep_extra_fields() -> None:
    fields = {"order": 7, "path": ["a", {"b": 1.5}], "job_id": "job-1", "thing": {1}}
    line = json.loads(JsonFormatter().format(record_of("hello", **fields)))
    assert line["order"] == 7
    assert line["path"] == ["a", {"b": 1.5}]
    assert line["thing"] == "{1}"
    assert list(line)[:4] == ["time", "level", "logger", "message"]


def test_extra_fields_do_not_replace_other_fields() -> None:
    forged = {"time": "x", "level": "x", "logger": "x"}
    line = json.loads(JsonFormatter().format(record_of("hello", **forged, exception="x")))
    assert "x" not in (line["time"], line["level"], line["logger"])
    assert line["message"] == "hello"
    line = json.loads(
        JsonFormatter().format(
            record_of("hello", exception="x", exc_info=raised(ValueError("boom")))
        )
    )
    assert "boom" in line["exception"]


def cycle() -> dict[str, object]:
    made: dict[str, object] = {}
    made["self"] = made
    return made


@pytest.mark.parametrize("value", [float("nan"), {(1, 2): 3}, cycle(), "\ud800"])
def test_a_field_that_is_not_json_does_not_lose_the_line(value) -> None:
    line = json.loads(JsonFormatter().format(record_of("hello", value=value, order=7)))
    assert line["message"] == "hello"
    assert line["order"] == 7
    assert "value" in line


@pytest.mark.parametrize("text", ["x" * 100_000, "x\n" * 50_000, "nxt_ag_0123456789abcdef" * 5000])
def test_a_text_from_outside_makes_one_short_line(caplog, text) -> None:
    extra = {"task_run_id": text, "port": 8080}
    get_logger("chaojiyuyan_worker.test").warning("bid refused: %s", text, extra=extra)
    line = caplog.messages[0]
    assert line == f"bid refused: {caplog.records[0].task_run_id}"
    assert caplog.records[0].port == 8080
    assert line.startswith("bid refused: ")
    assert len(line) <= len("bid refused: ") + MAX_TEXT_CHARS
    assert len(lines_of(line)) == 1
    assert "0123456789abcdef" not in line


def test_a_key_at_the_end_of_a_long_text_is_masked(caplog) -> None:
    text = "x" * (MAX_TEXT_CHARS - 20) + " nxt_ag_0123456789abcdef"
    get_logger("chaojiyuyan_worker.test").warning("%s", text)
    assert "nxt_ag" not in caplog.messages[0]
