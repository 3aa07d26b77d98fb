"""Something that happens while a test waits."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def meanwhile(act: Callable[[], Any], *, delay: float = 0.0) -> Iterator[None]:
    """Run a function in a thread beside the block; the block's end waits for it.

    A thread that outlives its test fails another test, so it has ended afterwards, and what it
    raised is raised here.

    Args:
        act: The function.
        delay: Seconds before it is called.
    """

    def act_later() -> None:
        time.sleep(delay)
        act()

    with ThreadPoolExecutor(1) as pool:
        acting = pool.submit(act_later)
        yield
        acting.result(30)
