"""The input of a job: from an option, a file, standard input, or one option per field."""

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
    """Return the input that ``--input`` or ``--input-file`` gives; an empty one without them.

    Args:
        text: ``--input``; ``-`` reads standard input.
        file: ``--input-file``.

    Raises:
        UsageError: Both are given.
        UserError: It is not a JSON object.
        OSError: The file cannot be read.
    """
    if text is not None and file is not None:
        raise click.UsageError("Give the input by --input or by --input-file, not by both.")
    given: str | bytes = text or ""
    if file is not None:
        given = file.expanduser().read_bytes()
    elif text == "-":
        given = sys.stdin.buffer.read()
    return parse_input(given)


def parse_input(given: str | bytes) -> dict[str, object]:
    """Read an input from its JSON text; a blank one is empty.

    Args:
        given: The text, or its UTF-8.

    Raises:
        UserError: It is not a JSON object.
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
    """Read ``--field value`` and ``--field=value`` from what no option of the command took.

    Args:
        arguments: These arguments, in order.
        options: The command's own options, to recognise a mistyped one.

    Returns:
        The texts of each field, by its name.

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
    """Return the values of fields, with the types that the input schema says.

    Args:
        fields: The texts of each field.
        schema: The input schema; None when nothing is known.

    Raises:
        UsageError: A value has another type, or the schema names other fields only.
    """
    properties = read_properties(schema)
    is_closed = isinstance(schema, dict) and schema.get("additionalProperties") is False
    values: dict[str, object] = {}
    for name, texts in fields.items():
        near = get_close_matches(name, properties, cutoff=0.6 if is_closed else 0.8)
        if name not in properties and (is_closed or near):
            raise click.NoSuchOption(f"--{name}", possibilities=[f"--{field}" for field in near])
            raise click.NoSuchOption(f"--{name}", possibilities=[f"--{field}" for field in near])
        try:
            values[name] = parse_value(texts, properties.get(name, {}))
        except ValueError as error:
            raise click.UsageError(f"--{name} {error}") from None
    return values
