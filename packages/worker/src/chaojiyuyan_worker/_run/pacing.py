"""Decide when to poll again, and the length of a long-poll. This module does no I/O."""

from __future__ import annotations

from chaojiyuyan_core.http import Retry

MAX_HOLD = 20.0
"""Maximum seconds of a long-poll for jobs."""

FIRST_HOLD = 2.0
"""Seconds of the second poll's long-poll. The first poll has none, so that problems show early."""

MIN_PAUSE = 0.05
"""Seconds between the first two polls without new work."""

PAUSE_GROWTH = 1.5

MIN_TURN = 0.04
"""Minimum seconds between two polls for single capabilities in turn."""

FAULTS = Retry(first_delay=0.1, max_delay=5.0)
"""The delays after errors."""


class Backoff:
    """A delay that grows with consecutive errors.

    Attributes:
        faults: The number of consecutive errors.
    """

    def __init__(self) -> None:
        self.faults = 0

    def fail(self, retry_after: float | None, draw: float) -> float:
        """Count an error, and return the seconds to wait.

        Args:
            retry_after: Seconds that the server asks to wait, or None.
            draw: A number from 0 to 1, for the jitter.
        """
        delay = max(FAULTS.backoff(self.faults, draw), retry_after or 0.0)
        self.faults += 1
        return delay

    def succeed(self) -> None:
        """Reset the count."""
        self.faults = 0


class Pacing:
    """Decides when to send a poll after one without new work.

    Attributes:
        not_before: The clock time before which no such poll is sent.

    Args:
        interval: Maximum seconds between idle polls, and seconds between two polls for the same
            capability when capabilities are polled in turn.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._pause = MIN_PAUSE
        self._hold = 0.0
        self.not_before = 0.0

    def hold(self, *, is_whole: bool) -> float:
        """Return the seconds of the next poll's long-poll.

        Args:
            is_whole: Whether the poll is for all capabilities. A poll for one capability in turn
                has no long-poll, because the others wait for it.
        """
        return self._hold if is_whole else 0.0

    def note_work(self) -> None:
        """Record work since the last poll, because more may come soon."""
        self._pause = MIN_PAUSE

    def note_page(self, asked: float, turns: int, draw: float) -> None:
        """Record the response to a poll.

        Args:
            asked: The clock time of the poll.
            turns: The number of polls needed for all capabilities.
            draw: A number from 0 to 1 for the jitter. It only makes a pause longer, so that there
                is at most one idle poll in each interval.
        """
        self._hold = min(MAX_HOLD, max(FIRST_HOLD, self._hold * 2))
        if turns > 1:
            pause = max(self._interval / turns, min(MIN_TURN, self._interval))
        else:
            pause = min(self._pause, self._interval)
            self._pause = min(self._pause * PAUSE_GROWTH, self._interval)
        self.not_before = asked + pause * (1 + draw / 10)

    def note_fault(self) -> None:
        """Record an error. A proxy may have cut the long-poll, so the next poll is short."""
        self._hold = 0.0
