"""Log lines of a worker's process: for people, or as JSON for a collector.

A job's text may be part of any record. In neither format can it end a line or steer a terminal.
"""

from __future__ import annotations

import json
import logging
from datetime import datetime, timezone

from chaojiyuyan_core.redaction import mask_keys
from chaojiyuyan_core.text import escape_text

LABELS = ("job_id", "task_run_id", "capability_key", "port")
"""What a line of text shows of a record's ``extra``: its job, or where the probes listen."""

INDENT = "    "
"""What begins each line of a traceback, and no other line."""

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""The attributes of every record; all others come from ``extra``."""


class TextFormatter(logging.Formatter):
    """One line a record, its labels at the end; a traceback follows, indented; keys masked."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text."""
        record.message = record.getMessage()
        record.asctime = self.formatTime(record)
        labels = "".join(
            f" {name}={value}" for name, value in _extra(record).items() if name in LABELS
        )
        lines = [escape_text(self.formatMessage(record) + labels)]
        for text in (_traceback(self, record), record.stack_info):
            lines += [INDENT + escape_text(line) for line in (text or "").split("\n") if line]
        return mask_keys("\n".join(lines))


class JsonFormatter(logging.Formatter):
    """One JSON object a record: time, level, logger, message, exception, ``extra``; keys masked.

    A field of ``extra`` replaces none of the others.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON."""
        fields: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        texts = {"exception": _traceback(self, record), "stack": record.stack_info}
        fields |= {name: text for name, text in texts.items() if text}
        fields |= {name: value for name, value in _extra(record).items() if name not in fields}
        # Collectors may take U+2028 or U+0085 for the end of a line.
        return mask_keys(escape_text(_to_json(fields)))


def configure_logging(log_format: str) -> None:
    """Send the process's log, from INFO on, to standard error.

    Args:
        log_format: ``text`` or ``json``.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells of every request


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {
        name: value
        for name, value in vars(record).items()
        if name not in _OWN and value is not None
    }


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str | None:
    """Return a record's traceback; a handler before this one may have left it as text alone."""
    if record.exc_info:
        return formatter.formatException(record.exc_info)
    return record.exc_text


def _to_json(fields: dict[str, object]) -> str:
    try:
        return json.dumps(fields, ensure_ascii=False, allow_nan=False, default=str)
    except (TypeError, ValueError, RecursionError):  # a tuple as a key, NaN, a cycle
        plain = {
            name: value if isinstance(value, (str, int, bool)) else str(value)
            for name, value in fields.items()
        }
        return json.dumps(plain, ensure_ascii=False)
