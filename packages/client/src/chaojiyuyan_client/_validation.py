"""Inputs checked against the schemas of the catalog (JSON Schema), without any network."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from chaojiyuyan_core.errors import InputInvalid
from chaojiyuyan_core.text import escape_text

if TYPE_CHECKING:
    from collections.abc import Mapping

EXTRA = "chaojiyuyan-client[validate]"
"""What has to be installed besides."""

MAX_REASON = 300
"""Characters of a finding that are shown: it quotes the input."""


def require_validator() -> None:
    """Make sure that inputs can be validated.

    Raises:
        ImportError: The extra is not installed.
    """
    try:
        import jsonschema  # noqa: F401
        import referencing  # noqa: F401
    except ImportError:
        raise ImportError(
            f"Validating an input needs jsonschema: run `pip install '{EXTRA}'`"
        ) from None


def check_input(payload: Mapping[str, Any], schema: object) -> None:
    """Check an input against a capability's schema.

    A schema that is not one, or that refers to another document, checks nothing that it cannot:
    the platform has the last word.

    Args:
        payload: The input.
        schema: The catalog's `input_schema`; anything that is not an object checks nothing.

    Raises:
        InputInvalid: The input does not match.
        ImportError: The extra is not installed.
    """
    require_validator()
    if not isinstance(schema, dict):
        return
    import jsonschema
    from jsonschema.validators import validator_for
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    cls = validator_for(schema, default=jsonschema.Draft202012Validator)
    # An empty registry: a reference that leaves the schema is an error, never a request.
    validator = cls(schema, registry=Registry())
    try:
        cls.check_schema(schema)
        finding = jsonschema.exceptions.best_match(validator.iter_errors(payload))
    except (jsonschema.SchemaError, Unresolvable, re.error, RecursionError):
        return
    if finding is not None:
        path = ".".join(str(part) for part in finding.absolute_path)
        raise InputInvalid(escape_text(path, MAX_REASON), escape_text(finding.message, MAX_REASON))
