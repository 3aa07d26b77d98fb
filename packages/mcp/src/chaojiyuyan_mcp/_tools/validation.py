"""Check arguments against a JSON Schema, which may come from a stranger."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, best_match

from chaojiyuyan_client.foreign_schema import REFERENCES, ForeignSchema, UncheckableSchema

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)

MAX_SCHEMA_CHARS = 20_000
"""Maximum characters of a capability's schema. A longer schema is not used."""


class Checker:
    """Checks arguments against one schema."""

    def __init__(self, schema: Mapping[str, object], *, is_foreign: bool) -> None:
        """Prepare the check.

        Args:
            schema: A valid schema (JSON Schema 2020-12).
            is_foreign: Whether the schema comes from a stranger.
        """
        self._foreign = ForeignSchema(schema) if is_foreign else None
        self._own = Draft202012Validator(dict(schema))

    def find_misfit(self, arguments: Mapping[str, object]) -> str | None:
        """Return the first error and its place in the arguments, or None when there is no error.

        Args:
            arguments: The arguments of a call.
        """
        if self._foreign is None:
            misfit = best_match(self._own.iter_errors(arguments))
        else:
            try:
                misfit = self._foreign.find_misfit(arguments)
            except UncheckableSchema as error:
                # The platform checks the input against the schema too.
                log.warning("a capability's input_schema could not be enforced: %s", error)
                return None
        if misfit is None:
            return None
        complaint = misfit.message
        if misfit.validator == "pattern" and self._foreign is None:
            # The message of the library would only quote the pattern.
            complaint = f"{misfit.instance!r} does not fit. {misfit.schema['description']}"
        place = "".join(
            f"[{step}]" if isinstance(step, int) else f".{step}" for step in misfit.path
        )
        return f"{place.lstrip('.')}: {complaint}" if place else complaint


def read_object_schema(schema: object) -> dict[str, Any] | None:
    """Return a capability's schema for use as a tool's input schema, or None when it is unusable.

    Args:
        schema: The value in the catalog, of any type.
    """
    if not isinstance(schema, dict) or schema.get("type") != "object":
        return None
    try:
        if len(json.dumps(schema)) > MAX_SCHEMA_CHARS or not _stands_alone(schema):
            return None
        Draft202012Validator.check_schema(schema, format_checker=FormatChecker(()))
    except (SchemaError, ValueError, RecursionError):
        return None
    return schema


def _stands_alone(schema: object) -> bool:
    """Return whether a schema has no external references and no arguments in HTTP headers."""
    rest = [schema]
    while rest:
        part = rest.pop()
        if isinstance(part, list):
            rest += part
        elif isinstance(part, dict):
            rest += part.values()
            if "x-mcp-header" in part or "$id" in part:
                return False
            for name in REFERENCES:
                if not str(part.get(name, "#")).startswith("#"):
                    return False
    return True
