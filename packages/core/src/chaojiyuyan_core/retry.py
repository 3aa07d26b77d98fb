"""When a call is sent again, and how long to wait before that."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .answers import retry_after

if TYPE_CHECKING:
    import httpx

    from .api import Call, Fetch

RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
"""The statuses that may pass when the same call is sent again."""

LONGEST_RETRY_AFTER = 120.0
"""Seconds. A server that asks for more is not waited for: the error is raised instead."""


class Retry(NamedTuple):
    """How often and how soon a call that may be repeated is sent again.

    :param max_retries: the attempts after the first; 0 turns retrying off.
    :param first_delay: seconds before the first retry; doubled for each one after it.
    :param longest_delay: seconds that no delay of ours exceeds.
    """

    max_retries: int = 2
    first_delay: float = 0.5
    longest_delay: float = 8.0

    def delay(
        self,
        call: Call[object] | Fetch,
        answer: httpx.Response | Exception,
        attempt: int,
        random: float,
    ) -> float | None:
        """Return the seconds until the next attempt, or None if this answer is the last one.

        :param answer: the response, or the fault on the way to it.
        :param attempt: how many retries there have been.
        :param random: a number from 0 to 1 for the jitter.
        """
        if attempt >= self.max_retries or not call.repeatable or not is_transient(answer):
            return None
        asked = None if isinstance(answer, Exception) else retry_after(answer)
        if asked is not None:
            return asked if asked <= LONGEST_RETRY_AFTER else None
        return self.backoff(attempt, random)

    def backoff(self, attempt: int, random: float) -> float:
        """Return the seconds before retry number ``attempt`` (from 0): exponential, with jitter.

        The jitter takes off up to half, so that many clients do not come back together.
        """
        # An exponent without a bound overflows after a long outage.
        delay = min(self.first_delay * 2.0 ** min(attempt, 32), self.longest_delay)
        return delay * (1 - random / 2)


def is_transient(answer: httpx.Response | Exception) -> bool:
    """Tell whether the same call may fare better when it is sent again."""
    if isinstance(answer, Exception):
        import httpx

        lasting = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)
        return isinstance(answer, httpx.TransportError) and not isinstance(answer, lasting)
    return answer.status_code in RETRIED_STATUSES
