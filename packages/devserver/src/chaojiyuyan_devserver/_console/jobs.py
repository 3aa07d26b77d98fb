"""The list of jobs, with its search."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query
from starlette.responses import Response

from chaojiyuyan_devserver._store.filters import JobFilter
from chaojiyuyan_devserver._store.queries import last_number
from chaojiyuyan_devserver._store.rows import Row
from chaojiyuyan_devserver.kernel import Refusal

from . import search
from .page import Page, router

STATUSES = ("bidding", "running", "succeeded", "failed", "expired", "cancelled")
RANGES = {"5m": 300, "1h": 3600, "24h": 86400}
"""The choices of the time filter, in seconds before now."""

SEARCH_INTERVAL = 5
"""Seconds between repeats of a search that reads many jobs, on an open page."""

MAX_TEXT = 200
"""The longest search text, in characters."""

Number = Annotated[int | None, Query(ge=0, le=2**53)]
Text = Annotated[str, Query(max_length=MAX_TEXT)]


@router.get("/jobs")
async def jobs(
    page: Page,
    status: str = "",
    capability: str = "",
    q: Text = "",
    age: str = "",
    since: str = "",
    until: str = "",
    before: Number = None,
    after: Number = None,
    top: Number = None,
) -> Response:
    """Show the list, newest first. Jobs newer than the number ``top`` are only counted."""
    chosen = {
        "q": q.strip(),
        "capability": capability,
        "status": status,
        "age": age,
        "since": since,
        "until": until,
    }
    wanted = JobFilter(
        status=status,
        capability=capability,
        text=q.strip(),
        since=_moment(since) if since else page.now - RANGES[age] if age in RANGES else None,
        until=_moment(until) if until else None,
    )
    store = page.service.store
    held = top if before is None and after is None else None
    found = await search.find_jobs(
        store, wanted, before=before if held is None else held + 1, after=after
    )

    def url(**changes: object) -> str:
        given = {name: value for name, value in {**chosen, **changes}.items() if value}
        return "/jobs?" + urlencode(given) if given else "/jobs"

    return page.render(
        "jobs.html",
        # a search without an index is not repeated at every change
        live=("Job",) if wanted.is_indexed else (),
        every=None if wanted.is_indexed else SEARCH_INTERVAL,
        jobs=found,
        columns=choose_columns(found.rows, status),
        counts=page.service.counts(),
        statuses=STATUSES,
        ages=RANGES,
        capabilities=[spec.capability_key for spec in page.kernel.catalog.list()],
        chosen=chosen,
        is_newest=found.newer is None or held is not None,
        is_filtered=any(chosen.values()),
        top=last_number(store) if held is None else held,
        waiting=search.count_new(store, wanted, held) if held is not None else 0,
        url=url,
    )


@dataclass(frozen=True)
class Columns:
    """Which columns of a list differ between its rows, and the common values of the others."""

    shown: frozenset[str]
    same: Mapping[str, str]


def choose_columns(rows: Sequence[Row], chosen_status: str = "") -> Columns:
    """Leave out the columns that have the same value in every row.

    The status is left out only if the search has one, since it changes while the page is open.
    """
    shown = {"status"} if not chosen_status else set()
    same = {}
    for name in ("capability_key", "agent_id", "worker"):
        values = {row[name] for row in rows}
        if len(values - {None}) > 1 or (name == "capability_key" and len(rows) == 1):
            shown.add(name)
        elif len(rows) > 1 and values != {None} and None not in values:
            same[name] = values.pop()
    return Columns(frozenset(shown), same)


def _moment(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError:
        raise Refusal(400, "invalid_time", f"not a date and time: {text[:40]}") from None
    return moment.replace(tzinfo=moment.tzinfo or timezone.utc).timestamp()
