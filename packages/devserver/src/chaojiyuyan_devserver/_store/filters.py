"""The criteria for lists of jobs, as conditions in SQL."""

import json
from dataclasses import dataclass
from typing import Any

_JOB_ID_LENGTH = 28


@dataclass(frozen=True)
class JobFilter:
    """The criteria of a search. An empty field does not restrict it.

    Attributes:
        status: Jobs with this status.
        capability: Jobs of this capability key.
        text: Jobs with this text in their input, output, error, idempotency key or id; the id of
            a task run or an agent finds its jobs.
        since: Jobs created at this time or later, in seconds since the epoch.
        until: Jobs created before this time, in seconds since the epoch.
    """

    status: str = ""
    capability: str = ""
    text: str = ""
    since: float | None = None
    until: float | None = None

    def conditions(self) -> tuple[str, list[Any]]:
        """Return the condition for a row of ``jobs`` in SQL, without the times, and its values."""
        clauses, values = ["1"], []
        if self.status:
            clauses.append("status = ?")
            if self.status != "succeeded":
                clauses.append("status <> 'succeeded'")  # lets SQLite use the index
            values.append(self.status)
        if self.capability:
            clauses.append("capability_key = ?")
            values.append(self.capability)
        if self.text:
            clause, more = _mentions(self.text)
            clauses.append(clause)
            values += more
        return " AND ".join(clauses), values

    @property
    def is_indexed(self) -> bool:
        """Whether an index serves the search, so that a single query is fast."""
        by_id = self.text.startswith("agt_") or _is_job_id(self.text)
        return not self.capability and (not self.text or by_id)


def _is_job_id(text: str) -> bool:
    return text.startswith("job_") and len(text) == _JOB_ID_LENGTH


def _mentions(text: str) -> tuple[str, list[Any]]:
    if _is_job_id(text):
        return "id = ?", [text]
    if text.startswith("agt_"):
        return "agent_id = ?", [text]
    if text.startswith("run_"):
        found = "SELECT 1 FROM attempts WHERE job = jobs.number AND task_run_id = ?"
        return f"EXISTS ({found})", [text]
    columns = ("id", "capability_key", "idempotency_key", "error_code", "error_message")
    clauses = [f"{column} LIKE ? ESCAPE '!'" for column in columns]
    found = "SELECT 1 FROM payloads WHERE job = jobs.number AND body LIKE ? ESCAPE '!'"
    clauses.append(f"EXISTS ({found})")
    # Payloads are stored as JSON, so the search text is escaped as in JSON.
    encoded = json.dumps(text, ensure_ascii=False)[1:-1]
    return f"({' OR '.join(clauses)})", [*[_pattern(text)] * len(columns), _pattern(encoded)]


def _pattern(text: str) -> str:
    for special in "!%_":
        text = text.replace(special, "!" + special)
    return f"%{text}%"
