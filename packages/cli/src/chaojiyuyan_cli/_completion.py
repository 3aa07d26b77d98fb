"""Complete arguments in the shell: capabilities, jobs and profiles.

Completion must be fast, so the platform's replies are cached in a file for a minute. It must also
be silent: after any error the shell offers nothing.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from typing import TYPE_CHECKING, Any

from click.shell_completion import CompletionItem

from chaojiyuyan_core.text import escape_text

from ._session import Session, find_home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import click

    from chaojiyuyan_client import NexusClient

_MAX_AGE = 60.0  # seconds
_TIMEOUT = 3.0  # seconds for each of connect, write and read
_MAX_JOBS = 20
_MAX_HELP = 60  # characters
_SAFE = re.compile(r"[\w.:@/+-]+")  # has no characters that a shell expands
_SECTION = re.compile(r"^\[([^\]\n]+)\]", re.MULTILINE)

Row = tuple[str, str]


def complete_capability(
    ctx: click.Context, _: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the keys of the catalog.

    Args:
        ctx: The context of the command.
        incomplete: The text typed so far.
    """
    return _offer(_look_up(ctx, "capabilities", _list_capabilities), incomplete)


def complete_job(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Offer the ids of the newest jobs.

    Args:
        ctx: The context of the command.
        incomplete: The text typed so far.
    """
    return _offer(_look_up(ctx, "jobs", _list_jobs), incomplete)


def complete_profile(
    _: click.Context, __: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer the profiles of the credentials file.

    Args:
        incomplete: The text typed so far.
    """
    from chaojiyuyan_core.credentials import CREDENTIALS_PATH

    text = ""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        text = CREDENTIALS_PATH.read_text(encoding="utf-8")
    return _offer([(name, "") for name in _SECTION.findall(text)], incomplete)


def _offer(rows: list[Row], incomplete: str) -> list[CompletionItem]:
    return [
        CompletionItem(value, help=escape_text(about, _MAX_HELP) or None)
        for value, about in rows
        if value.startswith(incomplete) and _SAFE.fullmatch(value)
    ]


def _list_capabilities(client: NexusClient) -> list[Row]:
    return [
        (str(row.get("capability_key")), str(row.get("name") or ""))
        for row in client.capabilities()
    ]


def _list_jobs(client: NexusClient) -> list[Row]:
    return [
        (job.id, f"{job.status} {job.get('capability_key') or ''}")
        for job in client.jobs(limit=_MAX_JOBS)
    ]


def _look_up(ctx: click.Context, kind: str, fetch: Callable[[NexusClient], list[Row]]) -> list[Row]:
    from chaojiyuyan_client import NexusClient

    try:
        settings = ctx.ensure_object(Session).settings()
        cache = _Cache(find_home() / ".chaojiyuyan" / "completion.json")
        place = f"{settings.base_url} {settings.api_key[-4:]} {kind}"
        rows = cache.read(place)
        if rows is None:
            with NexusClient(
                settings.api_key, settings.base_url, timeout=_TIMEOUT, max_retries=0
            ) as client:
                rows = fetch(client)
            cache.write(place, rows)
    except Exception:  # noqa: BLE001  # an error message would end up on the command line
        return []
    return rows


class _Cache:
    """A file of rows by place, with the time at which each place was written.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, place: str) -> list[Row] | None:
        """Return the rows of a place, or None when they are missing or too old.

        Args:
            place: The name of the place.
        """
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
            entry = json.loads(self._path.read_bytes())[place]
            if 0 <= time.time() - entry["time"] < _MAX_AGE:
                return [(str(value), str(about)) for value, about in entry["rows"]]
        return None

    def write(self, place: str, rows: list[Row]) -> None:
        """Save the rows of a place, and remove the places that are too old.

        Args:
            place: The name of the place.
            rows: The rows.
        """
        from chaojiyuyan_core.private_file import write_private

        now = time.time()
        kept: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError, RecursionError):
            entries = json.loads(self._path.read_bytes())
            kept = {
                name: entry
                for name, entry in entries.items()
                if 0 <= now - entry["time"] < _MAX_AGE
            }
        kept[place] = {"time": now, "rows": rows}
        write_private(self._path, json.dumps(kept).encode())
