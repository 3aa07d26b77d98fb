"""Decide whether a call is retried, and after which delay."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ._reply import MAX_RETRY_AFTER

if TYPE_CHECKING:
    from chaojiyuyan_core.api import Call, Fetch

    from ._reply import Reply


class Retry(NamedTuple):
    """The number and the delays of retries of a call that is safe to repeat.

    Attributes:
        max_retries: Maximum number of retries; 0 disables retries.
        first_delay: Seconds before the first retry. The delay doubles with each retry.
        max_delay: Maximum delay in seconds, except for a longer ``Retry-After``.
    """

    max_retries: int = 2
    first_delay: float = 0.5
    max_delay: float = 8.0

    def delay(
        self, call: Call[object] | Fetch, reply: Reply, attempt: int, random: float
    ) -> float | None:
        """Return the seconds until the next attempt, or None when there is no further attempt.

        Args:
            call: The call.
            reply: The reply to the last attempt.
            attempt: The number of retries so far.
            random: A number from 0 to 1 for the jitter.
        """
        if attempt >= self.max_retries or not call.repeatable or not reply.is_transient:
            return None
        asked = reply.requested_delay
        if asked is None:
            return self.backoff(attempt, random)
        return asked if asked <= MAX_RETRY_AFTER else None  # a longer one is not worth waiting for

    def backoff(self, attempt: int, random: float) -> float:
        """Return the seconds before a retry: exponential, with jitter.

        The jitter subtracts up to half of the delay, so that many clients do not retry together.

        Args:
            attempt: The number of the retry, from 0.
            random: A number from 0 to 1.
        """
        # The exponent is limited, because it would overflow after a long outage.
        delay = min(self.first_delay * 2.0 ** min(attempt, 32), self.max_delay)
        return delay * (1 - random / 2)
