"""When to poll again, and how long the platform may hold the answer. Pure."""

from __future__ import annotations

from chaojiyuyan_core.http import Retry

MAX_HOLD = 20.0
"""Maximum time of a long-poll for jobs, in seconds."""

FIRST_HOLD = 2.0
"""Seconds that the second poll is held; the first is answered at once, to tell how things are."""

MIN_PAUSE = 0.05
"""Seconds between the first two polls that come to nothing."""

PAUSE_GROWTH = 1.5

MIN_TURN = 0.04
"""The shortest pause between two polls that ask for one capability after the other, in seconds."""

FAULTS = Retry(first_delay=0.1, max_delay=5.0)
"""How soon to ask again after a fault."""


class Backoff:
    """Grows with the faults in a row.

    Attributes:
        faults: How many faults in a row there were.
    """

    def __init__(self) -> None:
        self.faults = 0

    def fail(self, retry_after: float | None, draw: float) -> float:
        """Count a fault and return the seconds to wait.

        Args:
            retry_after: Seconds that the server asks to wait, or None.
            draw: A number from 0 to 1, for the jitter.
        """
        delay = max(FAULTS.backoff(self.faults, draw), retry_after or 0.0)
        self.faults += 1
        return delay

    def succeed(self) -> None:
        """Forget the faults."""
        self.faults = 0


class Pacing:
    """Decides when polls are sent that follow one that led to nothing.

    Attributes:
        not_before: When such a poll may be sent, by the clock of the times handed in.

    Args:
        interval: Seconds between idle polls in the long run, and between two polls for one
            capability where each is asked for in turn.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._pause = MIN_PAUSE
        self._hold = 0.0
        self.not_before = 0.0

    def hold(self, *, is_whole: bool) -> float:
        """Return the seconds that the platform may hold the next poll.

        Args:
            is_whole: Whether the poll asks for everything; while others wait for their turn, none
                is held.
        """
        return self._hold if is_whole else 0.0

    def note_work(self) -> None:
        """Note that work came since the last poll: more may come soon."""
        self._pause = MIN_PAUSE

    def note_page(self, asked: float, turns: int, draw: float) -> None:
        """Note that a poll was answered.

        Args:
            asked: When it was sent.
            turns: How many polls it takes to ask for everything.
            draw: A number from 0 to 1. The jitter only lengthens a pause: at rest there is at most
                one poll an interval.
        """
        self._hold = min(MAX_HOLD, max(FIRST_HOLD, self._hold * 2))
        if turns > 1:
            pause = max(self._interval / turns, min(MIN_TURN, self._interval))
        else:
            pause = min(self._pause, self._interval)
            self._pause = min(self._pause * PAUSE_GROWTH, self._interval)
        self.not_before = asked + pause * (1 + draw / 10)

    def note_fault(self) -> None:
        """Note a fault. A proxy that cuts long-polls looks like one: the next poll is short."""
        self._hold = 0.0
