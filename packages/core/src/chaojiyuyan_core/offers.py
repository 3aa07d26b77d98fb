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
# Without repetitions, so that a hostile body takes linear time.
_MARKS = re.compile(rb'\\.|["\[\]{}]', re.DOTALL)


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
        # One row may be nested too deeply, so that the whole cannot be parsed.
        found = _split_rows(reply.body)
        if found is None:
            raise
        rows = found
    return [read_offer(row) for row in rows]


def read_offer(row: object) -> TaskInfo | BadOffer:
    """Interpret one row of the list of offers.

    Args:
        row: The row, of any type.
    """
    try:
        offer = api.offer(row)
        quote_id(offer["job_id"])
    except ValueError as error:
        return BadOffer(str(error))
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
    in_string = False
    for match in _MARKS.finditer(body, start.end()):
        mark = match.group()
        if mark == b'"':
            in_string = not in_string
        elif in_string:
            continue
        elif mark in b"{[":
            begin = match.start() if depth == 0 else begin
            depth += 1
        elif mark in b"}]":
            depth -= 1
            if depth < 0:
                return rows
            if depth == 0:
                rows.append(_parse_row(body[begin : match.end()]))
    return None


def _parse_row(text: bytes) -> object:
    try:
        return json.loads(text)
    except RecursionError:
        return "a row that is nested too deeply"
    except ValueError:
        return "a row that is not JSON"
