"""A worker that reads its input into a dataclass, so that a type checker sees the handler.

Run it with ``python -m chaojiyuyan_worker typed_worker:worker``. It reads the key from the
environment or from the saved login.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chaojiyuyan_core.errors import NonRetryableError
from chaojiyuyan_worker import TaskContext, Worker

if TYPE_CHECKING:
    from collections.abc import Mapping

worker = Worker.from_env()


@dataclass(frozen=True)
class Box:
    """The input of a job: a box to be packed, in whole millimetres."""

    width: int
    height: int
    depth: int

    @classmethod
    def parse(cls, payload: Mapping[str, object]) -> Box:
        """Read a box from the payload of a job.

        Args:
            payload: The input that the caller sent.

        Returns:
            The box, checked.

        Raises:
            NonRetryableError: A side is missing or is not a positive integer. Another attempt would
                fail in the same way, so the job is given up.
        """
        sides = {}
        for field in dataclasses.fields(cls):
            value = payload.get(field.name)
            if type(value) is not int or value <= 0:
                raise NonRetryableError(f"{field.name} must be a positive integer, in millimetres")
            sides[field.name] = value
        return cls(**sides)


@dataclass(frozen=True)
class Volume:
    """The output of a job."""

    litres: float
    is_parcel: bool


def measure(box: Box) -> Volume:
    """Compute the volume of a box, and whether the post takes it as a parcel."""
    litres = box.width * box.height * box.depth / 1_000_000
    return Volume(litres, is_parcel=max(box.width, box.height, box.depth) <= 1200)


@worker.handler("test.echo.v1")
def handle(task: TaskContext) -> dict[str, object]:
    """Run one job."""
    return dataclasses.asdict(measure(Box.parse(task.input)))
