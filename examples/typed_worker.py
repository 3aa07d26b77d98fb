"""A worker whose handler takes its input as a dataclass and returns one.

Run it with ``python -m chaojiyuyan_worker typed_worker:worker``. It reads the key from the
environment or from the saved login.
"""

from __future__ import annotations

from dataclasses import dataclass

from chaojiyuyan_worker import Worker

worker = Worker.from_env()


@dataclass(frozen=True)
class Box:
    """The input of a job: a box to be packed, in whole millimetres."""

    width: int
    height: int
    depth: int

    def __post_init__(self) -> None:
        """Refuse a box without a volume: the job is given up before any work."""
        if min(self.width, self.height, self.depth) <= 0:
            raise ValueError("every side must be above 0 mm")


@dataclass(frozen=True)
class Volume:
    """The output of a job."""

    litres: float
    is_parcel: bool


@worker.handler("test.echo.v1")
def measure(box: Box) -> Volume:
    """Compute the volume of a box, and whether the post takes it as a parcel."""
    litres = box.width * box.height * box.depth / 1_000_000
    return Volume(litres, is_parcel=max(box.width, box.height, box.depth) <= 1200)
