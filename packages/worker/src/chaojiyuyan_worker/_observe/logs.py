"""The log formats of a worker's process: text for people, or JSON for a log collector.

A record may contain text from a job. In both formats such text cannot end a line or control a
terminal.
"""

from __future__ import annotations

import json
import logging
from datetime import datetime, timezone

from chaojiyuyan_core.redaction import mask_keys
from chaojiyuyan_core.text import escape_text

LABELS = ("job_id", "task_run_id", "capability_key", "port")
"""The names in a record's ``extra`` that a text line shows."""

INDENT = "    "
"""The indentation of the lines of a traceback. Other lines are not indented."""

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""The standard attributes of a record. All other attributes come from ``extra``."""


class TextFormatter(logging.Formatter):
    """One line for each record, with labels at the end and masked keys. A traceback is indented."""

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
    """One JSON object for each record: time, level, logger, message, exception and ``extra``.

    Keys are masked. A field of ``extra`` never replaces another field.
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
        # Escaped, because some log collectors treat U+2028 or U+0085 as the end of a line.
        return mask_keys(escape_text(_to_json(fields)))


def configure_logging(log_format: str) -> None:
    """Write the log of the process, from level INFO, to standard error.

    Args:
        log_format: ``text`` or ``json``.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs every request


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {
        name: value
        for name, value in vars(record).items()
        if name not in _OWN and value is not None
    }


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str | None:
    """Return a record's traceback. An earlier log handler may have replaced it by text."""
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
