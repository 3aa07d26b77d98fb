"""The soak test's caller: each line of its standard input is a number of jobs to create."""

from __future__ import annotations

import itertools
import random
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx

from chaojiyuyan_client import NexusClient
from chaojiyuyan_core.errors import HebingError

CALLERS = 24
LONG_SHARE = 0.01


def main() -> None:
    """Create jobs until the input ends."""
    client = NexusClient.from_env()
    numbers = itertools.count()

    def order(_index: int) -> None:
        number = next(numbers)
        seconds = random.uniform(5, 8) if random.random() < LONG_SHARE else random.uniform(0, 0.1)
        payload = {"number": number, "seconds": seconds}
        while True:
            try:
                client.call("test.echo.v1", payload, idempotency_key=f"soak-{number}")
            except (HebingError, httpx.HTTPError) as error:  # noqa: PERF203 - HTTP is slower
                # The kernel is restarting. With the idempotency key, a retry is the same job.
                print(f"order {number}: {error}", file=sys.stderr)
            else:
                return

    with ThreadPoolExecutor(CALLERS) as pool:
        for line in sys.stdin:
            for _done in pool.map(order, range(int(line))):
                pass


main()
