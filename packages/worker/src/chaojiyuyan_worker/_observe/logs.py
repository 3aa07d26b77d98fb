"""Log lines of a worker's process: for people, or as JSON for a collector."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timezone

from chaojiyuyan_core.redaction import mask_keys

LABELS = ("job_id", "task_run_id", "capability_key", "port")
"""What a record may carry as ``extra``: the job it is about, or where the probes listen."""


class TextFormatter(logging.Formatter):
    """One line a record, its labels at the end; agent keys masked."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the line, without the traceback that may follow."""
        labels = "".join(f" {name}={value}" for name, value in _labels(record).items())
        return super().formatMessage(record) + labels

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text."""
        return mask_keys(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a record: time, level, logger, message, labels, exception; keys masked."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON."""
        fields: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_labels(record),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return mask_keys(json.dumps(fields, ensure_ascii=False, default=str))


def configure_logging(log_format: str) -> None:
    """Send the process's log, from INFO on, to standard error.

    Args:
        log_format: ``text`` or ``json``.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells of every request


def _labels(record: logging.LogRecord) -> dict[str, object]:
    found = ((name, getattr(record, name, None)) for name in LABELS)
    return {name: value for name, value in found if value is not None}
