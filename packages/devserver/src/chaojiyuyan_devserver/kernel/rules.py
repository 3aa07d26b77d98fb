"""What the kernel is given from outside: its limits, its catalog, the time and the ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .catalog import Catalog
    from .records import Record


@dataclass(frozen=True, slots=True)
class Rules:
    """The kernel's limits.

    Attributes:
        lease: Seconds for which an award or a heartbeat holds a job.
        bid_window: Seconds for which a job is offered before it expires.
        attempts: Number of awards that a job gets.
        rejections: Number of invalid outputs that end an attempt.
        timeout: A job's whole time in seconds, where the caller names none.
    """

    lease: float = 30.0
    bid_window: float = 600.0
    attempts: int = 3
    rejections: int = 3
    timeout: int = 3600


@dataclass(frozen=True, slots=True)
class World:
    """What every part of the kernel works with.

    Attributes:
        catalog: The capability specs.
        rules: The limits.
        clock: Gives the time in seconds since the epoch.
        new_id: Makes an id that starts with the given prefix.
        on_change: Is told of every record that changed.
    """

    catalog: Catalog
    rules: Rules
    clock: Callable[[], float]
    new_id: Callable[[str], str]
    on_change: Callable[[Record], None]
