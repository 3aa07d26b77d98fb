"""Read a kernel's state from the database."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

from chaojiyuyan_devserver.kernel import State
from chaojiyuyan_devserver.kernel.records import Account, Agent, Delivery, DeviceLogin, Webhook

from .jobs import last_number, open_jobs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .store import Store


def load_state(store: Store) -> State:
    """Return the stored state; jobs that have ended stay in the database."""
    with _without_collector():
        return State(
            store.records(Account),
            store.records(Agent),
            store.records(DeviceLogin),
            store.records(Webhook),
            store.records(Delivery, "WHERE status = 'pending'"),
            open_jobs(store),
            last_number(store),
        )


@contextmanager
def _without_collector() -> Iterator[None]:
    # The collector would traverse all records several times while they load, and free none.
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
