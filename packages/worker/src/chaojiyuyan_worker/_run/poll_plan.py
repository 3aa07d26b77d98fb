"""Decide the capability and the number of rows of a poll. This module does no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from chaojiyuyan_core import api

if TYPE_CHECKING:
    from collections.abc import Sequence

ONE_CYCLE_ROWS = 10
"""Number of rows of the only poll with ``once``, the platform's default."""

MAX_MARGIN = 8
"""Maximum extra rows of a poll beyond the free slots, because other workers take some jobs."""

MIN_MARGIN = 2
"""Minimum extra rows, used while the size of a row is unknown or when rows are large."""

MARGIN_BYTES = 1 << 20
"""Maximum bytes of the extra rows."""

PAGE_BYTES = 16 << 20
"""Maximum bytes of a page, estimated from the size of earlier rows."""


class Poll(NamedTuple):
    """The parameters of one poll.

    Attributes:
        capability_key: The capability; None for all registered capabilities of the agent.
        limit: Maximum number of rows.
        is_whole: Whether the poll covers all capabilities of this process.
    """

    capability_key: str | None
    limit: int
    is_whole: bool = True


class PollPlan:
    """Decides the parameters of the polls.

    One poll for all capabilities is the cheapest. When a page of the maximum size is full and has
    rows that this process cannot take, it may hide other rows. Then each capability is polled in
    turn, until a poll for all capabilities has room again.

    Attributes:
        is_crowded: Whether capabilities are polled in turn.

    Args:
        keys: The capabilities that this process handles.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = list(keys)
        self._turn = 0
        self._reach = 0
        self._cap = api.MAX_OFFERS
        self._row_bytes: float | None = None
        self.is_crowded = False

    def next(self, keys: Sequence[str], wanted: int) -> Poll:
        """Return the parameters of the next poll.

        Args:
            keys: The capabilities that have room.
            wanted: The number of offers that slots can take.
        """
        limit = self._limit(wanted)
        if len(self._keys) == 1:
            return Poll(self._keys[0], max(limit, self._within(self._reach)))
        if not self.is_crowded:
            return Poll(None, max(limit, self._within(self._reach)))
        turns: list[str | None] = [
            *keys,
            None,
        ]  # None checks whether the general page has room again
        self._turn += 1
        key = turns[self._turn % len(turns)]
        return Poll(key, limit if key else self._within(self._reach), is_whole=False)

    def turns(self, keys: Sequence[str]) -> int:
        """Return the number of polls needed for all capabilities.

        Args:
            keys: The capabilities that have room.
        """
        return len(keys) + 1 if self.is_crowded and len(self._keys) > 1 else 1

    def note_page(self, poll: Poll, rows: int, usable: int, size: int) -> None:
        """Update the plan from the response to a poll.

        Args:
            poll: The poll.
            rows: The number of rows.
            usable: The number of rows that this process can take.
            size: The size of the page in bytes.
        """
        if rows:
            self._row_bytes = size / rows
        self._cap = min(self._cap * 2, api.MAX_OFFERS)
        if poll.capability_key is not None and len(self._keys) > 1:
            return
        is_blocked = rows >= poll.limit and usable < rows
        self.is_crowded = is_blocked and poll.limit >= self._within(api.MAX_OFFERS)
        self._reach = min(poll.limit * 2, api.MAX_OFFERS) if is_blocked else 0

    def note_fault(self) -> None:
        """Update the plan after an error, because the page may have been too large."""
        self._cap = max(self._cap // 2, 1)

    def _limit(self, wanted: int) -> int:
        margin = MIN_MARGIN
        if self._row_bytes is not None:
            margin = min(max(int(MARGIN_BYTES // self._row_bytes), MIN_MARGIN), MAX_MARGIN)
        return self._within(wanted + margin)

    def _within(self, rows: int) -> int:
        by_size = api.MAX_OFFERS
        if self._row_bytes is not None:
            by_size = int(PAGE_BYTES // max(self._row_bytes, 1.0))
        return max(min(rows, self._cap, by_size, api.MAX_OFFERS), 1)
