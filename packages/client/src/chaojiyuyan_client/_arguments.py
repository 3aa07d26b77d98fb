"""Convert the arguments of callers to the form that the API accepts."""

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
"""The types that are accepted as a JSON object."""

_HINT = "pass a dict, another mapping, a pydantic model or (name, value) pairs"


def to_object(name: str, value: object) -> dict[str, object]:
    """Return an argument as a JSON object.

    Args:
        name: The name of the argument, for the error.
        value: A mapping, a pydantic model, or an iterable of (name, value) pairs. None gives an
            empty object.

    Raises:
        TypeError: The value has another type, or a name is not a string.
    """
    if value is None:
        return {}
    if callable(dump := getattr(value, "model_dump", None)) and not isinstance(value, type):
        value = dump(mode="json")
    if isinstance(value, Mapping):
        made: dict[object, object] = dict(value)
    elif isinstance(value, (str, bytes, bytearray)) or not isinstance(value, Iterable):
        raise TypeError(f"{name} is {_describe_type(value)}: {_HINT}")
    else:
        pairs = list(value)
        if not all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in pairs) or (
            isinstance(value, list) and not pairs
        ):
            raise TypeError(
                f"{name} is {_describe_type(value)} without (name, value) pairs: {_HINT}"
            )
        made = dict(pairs)
    for key in made:
        if not isinstance(key, str):
            raise TypeError(f"{name} has the name {key!r}, which is not a string: {_HINT}")
    return cast("dict[str, object]", made)


def to_id(job_id: str | UUID) -> str:
    """Return the id of a job as a string.

    Args:
        job_id: A string or a UUID.

    Raises:
        TypeError: The id has another type.
    """
    if isinstance(job_id, str):
        return job_id
    from uuid import UUID

    if isinstance(job_id, UUID):
        return str(job_id)
    raise TypeError(f"a job id is a string or a UUID, not {_describe_type(job_id)}: pass job.id")


def _describe_type(value: object) -> str:
    return f"of type {type(value).__name__}"
