"""Interpret the platform's response to a poll: offers and invalid rows."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import api
from ._paths import quote_id
from .errors import ResponseFormatError

if TYPE_CHECKING:
    from .http import Reply
    from .models import TaskInfo

MAX_JOB_ID_CHARS = 256
"""Maximum characters of a valid job id."""

_AVAILABLE = api.available_jobs()
_JOBS = re.compile(rb'\s*\[|.*?"jobs"\s*:\s*\[', re.DOTALL)
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class BadOffer:
    """An invalid row in the list of offers.

    Attributes:
        problem: Why the row is invalid.
    """

    problem: str


def read_offers(reply: Reply) -> list[TaskInfo | BadOffer]:
    """Interpret the response to ``GET /kernel-jobs/available``.

    The rows are read one by one, so that an invalid row does not hide the others.

    Args:
        reply: The reply.

    Raises:
        httpx.HTTPError: There was no complete response.
        HebingAPIError: The response is an error or not a list of jobs.
    """
    try:
        rows = reply.value(_AVAILABLE)
    except ResponseFormatError:
        found = _split_rows(
            reply.body
        )  # one row may be nested too deeply, so that the whole cannot be parsed
        if found is None:
            raise
        rows = found
    return [_read_offer(row, reply) for row in rows]


def _read_offer(row: object, reply: Reply) -> TaskInfo | BadOffer:
    try:
        offer = api.offer(row)
        quote_id(offer["job_id"])
    except ValueError as error:
        return BadOffer(reply.redact(str(error)))
    length = len(offer["job_id"])
    if length > MAX_JOB_ID_CHARS:
        return BadOffer(f"expected an offer with a job id, got one of {length} characters")
    return offer


def _split_rows(body: bytes) -> list[object] | None:
    """Parse the objects in the list of jobs one by one, or return None without such a list."""
    start = _JOBS.match(body)
    if start is None:
        return None
    rows: list[object] = []
    depth = begin = 0
    for token in _BRACKETS.finditer(body, start.end()):
        bracket = token.group()
        if bracket in (b"{", b"["):
            begin = token.start() if depth == 0 else begin
            depth += 1
        elif bracket in (b"}", b"]"):
            depth -= 1
            if depth < 0:
                return rows
            if depth == 0:
                rows.append(_parse_row(body[begin : token.end()]))
    return None


def _parse_row(text: bytes) -> object:
    try:
        return json.loads(text)
    except RecursionError:
        return "a row that is nested too deeply"
    except ValueError:
        return "a row that is not JSON"
