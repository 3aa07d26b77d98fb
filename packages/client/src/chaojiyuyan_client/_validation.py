"""Inputs checked against the schemas of the catalog (JSON Schema), without any network."""

from __future__ import annotations

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

    A schema that is none, or that refers to another document, checks nothing; slow parts of one are
    left out. The platform has the last word.

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
    from .foreign_schema import ForeignSchema, UncheckableSchema

    try:
        misfit = ForeignSchema(schema).find_misfit(payload)
    except UncheckableSchema:
        return
    if misfit is not None:
        path = ".".join(str(part) for part in misfit.absolute_path)
        raise InputInvalid(escape_text(path, MAX_REASON), escape_text(misfit.message, MAX_REASON))
