"""What callers pass, in the form that the API takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from uuid import UUID


class Model(Protocol):
    """A pydantic model."""

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        """Return the model as plain data."""


ObjectLike = Mapping[str, Any] | Model | Iterable[tuple[str, Any]]
"""What is taken for a JSON object."""

_HINT = "pass a dict, another mapping, a pydantic model or (name, value) pairs"


def to_object(name: str, value: object) -> dict[str, object]:
    """Return a JSON object for what a caller passed as one.

    Args:
        name: The name of the argument, for the error.
        value: A mapping, a pydantic model, or an iterable of (name, value) pairs; None is empty.

    Raises:
        TypeError: It is none of these, or a name is not a text.
    """
    if value is None:
        return {}
    if callable(dump := getattr(value, "model_dump", None)) and not isinstance(value, type):
        value = dump(mode="json")
    if isinstance(value, Mapping):
        made: dict[object, object] = dict(value)
    elif isinstance(value, (str, bytes, bytearray)) or not isinstance(value, Iterable):
        raise TypeError(f"{name} is {_described(value)}: {_HINT}")
    else:
        pairs = list(value)
        if not all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in pairs) or (
            isinstance(value, list) and not pairs
        ):
            raise TypeError(f"{name} is {_described(value)} without (name, value) pairs: {_HINT}")
        made = dict(pairs)
    for key in made:
        if not isinstance(key, str):
            raise TypeError(f"{name} has the name {key!r}, which is not a text: {_HINT}")
    return cast("dict[str, object]", made)


def to_id(job_id: str | UUID) -> str:
    """Return a job's id as the API writes it.

    Args:
        job_id: A text or a UUID.

    Raises:
        TypeError: It is neither.
    """
    if isinstance(job_id, str):
        return job_id
    from uuid import UUID

    if isinstance(job_id, UUID):
        return str(job_id)
    raise TypeError(f"a job id is a text or a UUID, not {_described(job_id)}: pass job.id")


def _described(value: object) -> str:
    return f"of type {type(value).__name__}"
