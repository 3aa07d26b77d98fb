"""Convert JSON values to typed Python objects, and back.

JSON types are not converted: a string is not accepted as a number, and true is not an integer. Only
an integer is accepted as a float. Unknown fields are ignored, because the platform may add fields.
A pydantic model is read and written by its own configuration.
"""

from __future__ import annotations

import dataclasses
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

if TYPE_CHECKING:
    from collections.abc import Callable

_UNIONS = (Union, types.UnionType)
_QUALIFIERS = ("NotRequired", "Required", "ReadOnly")
_SCALARS: dict[object, str] = {str: "a string", bool: "true or false", int: "an integer"}
_PLAIN = (str, int, float, bool, type(None))
_LISTS = (list, Sequence)
_DICTS = (dict, Mapping)
MAX_PATH = 200
"""Maximum characters of a path in a message, because its parts come from the value."""


class Misfit(ValueError):
    """A value does not match a type.

    Attributes:
        path: The place in the value, such as ``items[1].price``; empty for the whole value.
        reason: The problem, without the value.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path = path if len(path) <= MAX_PATH else path[:MAX_PATH] + "…"
        self.reason = reason
        super().__init__(f"{self.path}: {reason}" if path else reason)


def read(value: object, hint: Any, path: str = "") -> Any:
    """Convert a JSON value to an object of a type.

    Args:
        value: A value from ``json.loads``.
        hint: A type that :func:`check` has accepted.
        path: The place of the value in the whole.

    Raises:
        Misfit: The value does not match the type.
    """
    hint = _strip(hint)
    if hint in (Any, object):
        return value
    if hint in (None, type(None)):
        return _expect(value is None, value, "null", path)
    if hint is float:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return float(_expect(is_number, value, "a number", path))
    if hint in _SCALARS:
        return _expect(type(value) is hint, value, _SCALARS[hint], path)
    origin = get_origin(hint) or hint
    if origin is Literal:
        fits = any(value == choice and type(value) is type(choice) for choice in get_args(hint))
        return _expect(fits, value, f"one of {', '.join(map(repr, get_args(hint)))}", path)
    if origin in _UNIONS:
        return _read_union(value, get_args(hint), path)
    if origin in _LISTS:
        return _read_list(value, get_args(hint), path)
    if origin in _DICTS:
        return _read_dict(value, get_args(hint), path)
    return _read_object(value, hint, path)


def write(value: object) -> object:
    """Convert an object to a JSON value. Dataclasses and pydantic models become JSON objects.

    Args:
        value: The object. Types that JSON does not have are not changed.
    """
    if type(value) in _PLAIN:  # fast path, because most values are plain
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: write(getattr(value, field.name)) for field in fields}
    if is_model(type(value)):
        return value.model_dump(mode="json")  # type: ignore[attr-defined]
    if isinstance(value, Mapping):
        return {key: write(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [write(item) for item in value]
    return value


def check(hint: Any) -> None:
    """Raise an error when values cannot be converted to a type.

    Args:
        hint: The type.

    Raises:
        TypeError: The type, or a type in it, is not supported or cannot be resolved.
    """
    _check(hint, set())


def is_structure(hint: Any) -> bool:
    """Return whether a type is a dataclass, a TypedDict or a pydantic model."""
    hint = _strip(hint)
    return isinstance(hint, type) and (
        dataclasses.is_dataclass(hint) or is_typed_dict(hint) or is_model(hint)
    )


def is_typed_dict(hint: type) -> bool:
    """Return whether a class is a TypedDict, of ``typing`` or of ``typing_extensions``."""
    return issubclass(hint, dict) and hasattr(hint, "__required_keys__")


def is_model(hint: type) -> bool:
    """Return whether a class is a pydantic model. This works without pydantic."""
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and issubclass(hint, pydantic.BaseModel)


def _strip(hint: Any) -> Any:
    """Return a type without wrappers that do not change its values, such as ``Annotated``."""
    while True:
        origin = get_origin(hint)
        if origin is typing.Annotated or getattr(origin, "_name", None) in _QUALIFIERS:
            hint = get_args(hint)[0]
        elif isinstance(hint, typing.NewType):
            hint = hint.__supertype__
        elif type(hint).__name__ == "TypeAliasType":
            hint = hint.__value__
        else:
            return hint


def _check(hint: Any, seen: set[int]) -> None:
    hint = _strip(hint)
    origin = get_origin(hint) or hint
    if hint in (Any, object, None, type(None), float) or hint in _SCALARS or origin is Literal:
        return
    if origin in (*_UNIONS, *_LISTS, *_DICTS):
        arguments = get_args(hint)
        if origin in _DICTS and arguments and _strip(arguments[0]) not in (str, Any):
            raise TypeError(f"{hint} has keys that are not strings, which JSON does not allow")
        for argument in arguments:
            _check(argument, seen)
        return
    if not is_structure(hint):
        raise TypeError(f"{getattr(hint, '__name__', hint)} cannot be read from JSON")
    if id(hint) in seen or is_model(hint):
        return
    seen.add(id(hint))
    for field_hint in _field_hints(hint).values():
        _check(field_hint, seen)


def _field_hints(hint: type) -> dict[str, Any]:
    try:
        return typing.get_type_hints(hint, include_extras=True)
    except NameError as error:
        raise TypeError(f"a field of {hint.__name__} cannot be resolved: {error}") from None


def _expect(fits: bool, value: Any, expected: str, path: str) -> Any:
    if not fits:
        raise Misfit(path, f"expected {expected}, not {_kind(value)}")
    return value


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", float: "a number", type(None): "null"}
    return kinds.get(type(value)) or _SCALARS.get(type(value)) or type(value).__name__


def _read_union(value: object, members: tuple[Any, ...], path: str) -> Any:
    misfits: list[Misfit] = []
    for member in members:
        try:
            return read(value, member, path)
        except Misfit as misfit:  # noqa: PERF203 - the next member may fit
            if _strip(member) is not type(None):
                misfits.append(misfit)
    # The error at the deepest place is the most useful one.
    raise max(misfits, key=lambda misfit: len(misfit.path))


def _read_list(value: object, arguments: tuple[Any, ...], path: str) -> list[Any]:
    items: list[Any] = _expect(isinstance(value, list), value, "a list", path)
    item_hint = arguments[0] if arguments else Any
    return [read(item, item_hint, f"{path}[{number}]") for number, item in enumerate(items)]


def _read_dict(value: object, arguments: tuple[Any, ...], path: str) -> dict[str, Any]:
    fields: dict[str, Any] = _expect(isinstance(value, dict), value, "an object", path)
    item_hint = arguments[1] if arguments else Any
    return {name: read(item, item_hint, _join(path, name)) for name, item in fields.items()}


def _read_object(value: object, hint: Any, path: str) -> Any:
    if is_model(hint):
        return _read_model(value, hint, path)
    fields: dict[str, Any] = _expect(isinstance(value, dict), value, "an object", path)
    hints = _field_hints(hint)
    if is_typed_dict(hint):
        required, known, make = hint.__required_keys__, list(hints), dict
    else:
        of_init = [field for field in dataclasses.fields(hint) if field.init]
        known, make = [field.name for field in of_init], hint
        required = {field.name for field in of_init if _has_no_default(field)}
    return _fill(make, fields, known, required, hints, path)


def _fill(
    make: Callable[..., Any],
    fields: Mapping[str, Any],
    known: Sequence[str],
    required: Any,
    hints: Mapping[str, Any],
    path: str,
) -> Any:
    given = {}
    for name in known:
        if name in fields:
            given[name] = read(fields[name], hints[name], _join(path, name))
        elif name in required:
            raise Misfit(_join(path, name), "missing")
    try:
        return make(**given)
    except (TypeError, ValueError) as error:
        # Without the text of the error, which may contain the value.
        raise Misfit(path, f"refused by {make.__name__}: {type(error).__name__}") from error


def _has_no_default(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _read_model(value: object, hint: Any, path: str) -> Any:
    pydantic: Any = sys.modules["pydantic"]  # imported by the module of the model
    try:
        return hint.model_validate(value)
    except pydantic.ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        for part in first["loc"]:
            path = f"{path}[{part}]" if isinstance(part, int) else _join(path, part)
        raise Misfit(path, f"{first['type']}") from None


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
