"""What callers pass, in the form that the API takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, cast


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


def _described(value: object) -> str:
    return f"of type {type(value).__name__}"
