"""Check inputs against the JSON Schemas of the catalog, without network access."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chaojiyuyan_core.errors import InputInvalid
from chaojiyuyan_core.text import escape_text

if TYPE_CHECKING:
    from collections.abc import Mapping

EXTRA = "chaojiyuyan-client[validate]"
"""The extra that must be installed."""

MAX_REASON = 300
"""Maximum characters of a validation error, because it quotes the input."""


def require_validator() -> None:
    """Raise an error when the extra for validation is not installed.

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

    An invalid schema, or one that refers to another document, is not checked, and slow parts of a
    schema are skipped. The platform checks the input too.

    Args:
        payload: The input.
        schema: The catalog's `input_schema`. A value that is not an object is not checked.

    Raises:
        InputInvalid: The input does not match the schema.
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
