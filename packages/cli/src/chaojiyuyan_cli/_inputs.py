"""Read the input of a job from an option, a file, standard input, or one option per field."""

from __future__ import annotations

import json
import sys
from difflib import get_close_matches
from typing import TYPE_CHECKING

import click

from ._errors import UserError
from ._schemas import parse_value, read_properties

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def read_input(text: str | None, file: Path | None) -> dict[str, object]:
    """Return the input from ``--input`` or ``--input-file``; empty when neither is given.

    Args:
        text: The value of ``--input``; ``-`` reads standard input.
        file: The value of ``--input-file``.

    Raises:
        UsageError: Both options are given.
        UserError: The input is not a JSON object.
        OSError: The file cannot be read.
    """
    if text is not None and file is not None:
        raise click.UsageError("Use either --input or --input-file, not both.")
    given: str | bytes = text or ""
    if file is not None:
        given = file.expanduser().read_bytes()
    elif text == "-":
        given = sys.stdin.buffer.read()
    return parse_input(given)


def parse_input(given: str | bytes) -> dict[str, object]:
    """Read an input from JSON text; a blank text gives an empty input.

    Args:
        given: The text, or its UTF-8 bytes.

    Raises:
        UserError: The text is not a JSON object.
    """
    try:
        text = given.decode() if isinstance(given, bytes) else given
        payload = json.loads(text.removeprefix("\ufeff").strip() or "{}")
    except (ValueError, RecursionError) as error:
        raise UserError(f"input is not valid JSON: {error}") from None
    if not isinstance(payload, dict):
        raise UserError("input JSON must be an object.")
    return payload


def split_fields(arguments: Sequence[str], options: Sequence[str]) -> dict[str, list[str]]:
    """Read ``--field value`` and ``--field=value`` from the arguments that are not options.

    Args:
        arguments: The arguments that no option of the command has taken, in order.
        options: The command's own options, to detect a mistyped option.

    Returns:
        The texts of each field, by the name of the field.

    Raises:
        UsageError: An argument is not a field, a field has no value, or an option is mistyped.
    """
    fields: dict[str, list[str]] = {}
    left = list(arguments)
    while left:
        argument = left.pop(0)
        name, equals, value = argument.removeprefix("--").partition("=")
        if not argument.startswith("--") or not name:
            raise click.UsageError(f"Got unexpected extra argument ({argument})")
        similar = get_close_matches(f"--{name}", options, cutoff=0.8)
        if similar:
            raise click.NoSuchOption(f"--{name}", possibilities=similar)
        if not equals:
            if not left or left[0].startswith("--"):
                raise click.UsageError(
                    f"--{name} is not an option of this command, and as a field of the input it"
                    " needs a value."
                )
            value = left.pop(0)
        fields.setdefault(name, []).append(value)
    return fields


def parse_fields(fields: Mapping[str, Sequence[str]], schema: object) -> dict[str, object]:
    """Return the values of fields, converted to the types in the input schema.

    Args:
        fields: The texts of each field.
        schema: The input schema, or None when it is unknown.

    Raises:
        UsageError: A value does not have its type, or the schema does not allow the field.
    """
    properties = read_properties(schema)
    is_closed = isinstance(schema, dict) and schema.get("additionalProperties") is False
    values: dict[str, object] = {}
    for name, texts in fields.items():
        near = get_close_matches(name, properties, cutoff=0.6 if is_closed else 0.8)
        if name not in properties and (is_closed or near):
            raise click.NoSuchOption(f"--{name}", possibilities=[f"--{field}" for field in near])
        try:
            values[name] = parse_value(texts, properties.get(name, {}))
        except ValueError as error:
            raise click.UsageError(f"--{name} {error}") from None
    return values
