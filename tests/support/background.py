"""Run a function in the background while a test waits."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def meanwhile(act: Callable[[], Any], *, delay: float = 0.0) -> Iterator[None]:
    """Run a function in a thread during the block; the end of the block waits for it.

    The thread has always ended after the block, because a thread that outlives its test would make
    another test fail. Its exception is raised at the end of the block.

    Args:
        act: The function to call.
        delay: Seconds before it is called.
    """

    def act_later() -> None:
        time.sleep(delay)
        act()

    with ThreadPoolExecutor(1) as pool:
        acting = pool.submit(act_later)
        yield
        acting.result(30)
