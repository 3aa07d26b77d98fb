"""What is passed to the kernel: its limits, its catalog, the clock and the ids."""

from collections.abc import Callable
from dataclasses import dataclass

from .catalog import Catalog
from .records import Record


@dataclass(frozen=True, slots=True)
class Rules:
    """The kernel's limits.

    Attributes:
        lease: Length of a lease in seconds, from the award or a heartbeat.
        bid_window: Seconds for which a job is offered before it expires.
        attempts: Maximum number of attempts of a job.
        rejections: Number of invalid outputs that end an attempt.
        timeout: Default timeout of a job in seconds, from its creation.
    """

    lease: float = 30.0
    bid_window: float = 600.0
    attempts: int = 3
    rejections: int = 3
    timeout: int = 3600


@dataclass(frozen=True, slots=True)
class World:
    """The parts that the whole kernel shares.

    Attributes:
        catalog: The capability specs.
        rules: The limits.
        clock: Returns the time in seconds since the epoch.
        new_id: Returns a new id with the given prefix.
        on_change: Called with every record that changed.
    """

    catalog: Catalog
    rules: Rules
    clock: Callable[[], float]
    new_id: Callable[[str], str]
    on_change: Callable[[Record], None]
