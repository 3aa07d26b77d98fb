"""JSON in one form only (RFC 8785), and what is derived from it."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def canonical_json(value: object) -> str:
    """Return the JSON text that every equal value has (RFC 8785).

    Args:
        value: What JSON has a form for: dicts, lists, texts, numbers, booleans and None.

    Raises:
        TypeError: It holds something that JSON has no form for.
        ValueError: It holds a number that is not one of a double's, or an unpaired surrogate.
    """
    if isinstance(value, dict):
        for name in value:
            if not isinstance(name, str):
                raise TypeError(f"the name {name!r} of a JSON object is not a text")
        # RFC 8785, 3.2.3: in the order of UTF-16 code units, which is not that of characters.
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        members = (f"{canonical_json(name)}:{canonical_json(value[name])}" for name in names)
        return "{" + ",".join(members) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(canonical_json, value)) + "]"
    if isinstance(value, str):
        value.encode()  # an unpaired surrogate has no canonical form: it raises a ValueError
        return json.dumps(str(value), ensure_ascii=False)
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, (int, float)):
        return _number(value)
    raise TypeError(f"JSON has no form for a {type(value).__name__}")


def hash_input(capability_key: str, payload: Mapping[str, object]) -> str:
    """Return a hash that is the same for the same capability and an equal input.

    Args:
        capability_key: The capability.
        payload: The input.

    Raises:
        TypeError: The input is not JSON.
        ValueError: The input has no canonical form: see :func:`canonical_json`.
    """
    text = canonical_json([capability_key, payload])
    return hashlib.sha256(text.encode()).hexdigest()


def _number(value: float) -> str:
    """Write a number as ECMAScript does (RFC 8785, 3.2.2.3)."""
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if number != value or number in (float("inf"), float("-inf")):
        # Two numbers must not become one: NaN, an infinity, an integer beyond 53 bits.
        raise ValueError(f"JSON readers do not agree on the number {value!r:.40}: send it as text")
    if number == 0:
        return "0"
    sign = "-" if number < 0 else ""
    _, digit_tuple, exponent = Decimal(repr(abs(number))).as_tuple()
    written = "".join(map(str, digit_tuple)).lstrip("0")
    point = len(written) + int(exponent)  # where the decimal point is, from the first digit on
    digits = written.rstrip("0")
    if len(digits) <= point <= 21:
        return sign + digits.ljust(point, "0")
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{point - 1:+d}"
