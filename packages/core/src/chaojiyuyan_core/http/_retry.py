"""When a call is sent again, and how long to wait before that."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ._reply import MAX_RETRY_AFTER

if TYPE_CHECKING:
    from chaojiyuyan_core.api import Call, Fetch

    from ._reply import Reply


class Retry(NamedTuple):
    """How often and how soon a call that may be repeated is sent again.

    Attributes:
        max_retries: Attempts after the first; 0 turns retrying off.
        first_delay: Seconds before the first retry; doubled for each one after it.
        max_delay: The longest delay of our own, in seconds.
    """

    max_retries: int = 2
    first_delay: float = 0.5
    max_delay: float = 8.0

    def delay(
        self, call: Call[object] | Fetch, reply: Reply, attempt: int, random: float
    ) -> float | None:
        """Return the seconds until the next attempt, or None if this reply is the last one.

        Args:
            call: What was sent.
            reply: What came of it.
            attempt: How many retries there have been.
            random: A number from 0 to 1 for the jitter.
        """
        if attempt >= self.max_retries or not call.repeatable or not reply.is_transient:
            return None
        asked = reply.requested_delay
        if asked is None:
            return self.backoff(attempt, random)
        return asked if asked <= MAX_RETRY_AFTER else None  # longer than a caller should hang

    def backoff(self, attempt: int, random: float) -> float:
        """Return the seconds before a retry: exponential, with jitter.

        The jitter takes off up to half, so that many clients do not come back together.

        Args:
            attempt: The number of the retry, from 0.
            random: A number from 0 to 1.
        """
        # An exponent without a bound overflows after a long outage.
        delay = min(self.first_delay * 2.0 ** min(attempt, 32), self.max_delay)
        return delay * (1 - random / 2)
