"""Canonical JSON (RFC 8785), and hashes of it."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def canonical_json(value: object) -> str:
    """Return the canonical JSON text, which is the same for all equal values (RFC 8785).

    Args:
        value: A JSON value: dicts, lists, strings, numbers, booleans and None.

    Raises:
        TypeError: The value contains a type that JSON does not have.
        ValueError: The value contains a number that a double cannot represent, or an unpaired
            surrogate.
    """
    if isinstance(value, dict):
        for name in value:
            if not isinstance(name, str):
                raise TypeError(f"the name {name!r} of a JSON object is not a string")
        # RFC 8785, 3.2.3: sorted by UTF-16 code units, not by characters.
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        members = (f"{canonical_json(name)}:{canonical_json(value[name])}" for name in names)
        return "{" + ",".join(members) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(canonical_json, value)) + "]"
    if isinstance(value, str):
        value.encode()  # raises ValueError for an unpaired surrogate, which has no canonical form
        return json.dumps(str(value), ensure_ascii=False)
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, (int, float)):
        return _number(value)
    raise TypeError(f"JSON cannot represent a {type(value).__name__}")


def hash_input(capability_key: str, payload: Mapping[str, object]) -> str:
    """Return a hash that is equal for the same capability and an equal input.

    Args:
        capability_key: The key of the capability.
        payload: The input.

    Returns:
        The SHA-256 in hexadecimal.

    Raises:
        TypeError: The input is not a JSON value.
        ValueError: The input has no canonical form, see :func:`canonical_json`.
    """
    text = canonical_json([capability_key, payload])
    return hashlib.sha256(text.encode()).hexdigest()


def _number(value: float) -> str:
    """Return a number in the form of ECMAScript (RFC 8785, 3.2.2.3)."""
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if number != value or number in (float("inf"), float("-inf")):
        # NaN, an infinity or an integer beyond 53 bits would get the text of another number.
        raise ValueError(f"JSON cannot represent the number {value!r:.40}: send it as a string")
    if number == 0:
        return "0"
    sign = "-" if number < 0 else ""
    _, digit_tuple, exponent = Decimal(repr(abs(number))).as_tuple()
    written = "".join(map(str, digit_tuple)).lstrip("0")
    point = len(written) + int(exponent)  # position of the decimal point in the digits
    digits = written.rstrip("0")
    if len(digits) <= point <= 21:
        return sign + digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{point - 1:+d}"
