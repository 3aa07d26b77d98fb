"""Arguments held against a JSON Schema, which may come from a stranger.

A capability's schema is the work of whoever published it. It must not make this server read an
address, nor compute without end: references are resolved inside the schema alone and only so many
of them, and a stranger's regular expression is enforced only where it is simple, since others take
a lifetime to find no match. The platform holds the input against the whole schema as well.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator, FormatChecker, validators
from jsonschema.exceptions import SchemaError, best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from jsonschema.exceptions import ValidationError

log = logging.getLogger(__name__)

MAX_REFERENCES = 10_000
"""References that one check follows: where each names two others, their number doubles."""

MAX_SCHEMA_CHARS = 20_000
"""Characters of a capability's schema that is listed and enforced."""

MAX_MATCHED_CHARS = 2_000
"""Characters of a text that is held against a stranger's regular expression."""

_REFERENCES = ("$ref", "$dynamicRef")
_QUANTIFIER = re.compile(r"(?<!\()[*+?]|\{\d*,\d*\}")
_REPEATED_GROUP = re.compile(r"\)[*+?{]")

_Keyword = Any  # jsonschema has no type for the functions behind the keywords


class Checker:
    """Checks arguments against one schema."""

    def __init__(self, schema: Mapping[str, object], *, is_foreign: bool) -> None:
        """Prepare the check.

        Args:
            schema: The schema, valid by JSON Schema 2020-12.
            is_foreign: It comes from a stranger.
        """
        self._is_foreign = is_foreign
        self._references = 0
        cls = self._limit(Draft202012Validator) if is_foreign else Draft202012Validator
        self._validator = cls(dict(schema), registry=Registry())

    def find_misfit(self, arguments: Mapping[str, object]) -> str | None:
        """Return what does not fit, with its place; None where everything does.

        Args:
            arguments: The arguments of a call.
        """
        self._references = 0
        try:
            misfit = best_match(self._validator.iter_errors(arguments))
        except (_TooManyReferencesError, RecursionError, Unresolvable) as error:
            # The platform holds the input against the schema as well.
            log.warning("a capability's input_schema could not be enforced: %r", error)
            return None
        if misfit is None:
            return None
        complaint = misfit.message
        if misfit.validator == "pattern" and not self._is_foreign:
            # The message of the library would quote the pattern.
            complaint = f"{misfit.instance!r} does not fit. {misfit.schema['description']}"
        place = "".join(
            f"[{step}]" if isinstance(step, int) else f".{step}" for step in misfit.path
        )
        return f"{place.lstrip('.')}: {complaint}" if place else complaint

    def _limit(self, base: Any) -> Any:
        """Return a validator that computes only so much."""
        counted = {name: self._count(base.VALIDATORS[name]) for name in _REFERENCES}
        skipped = dict.fromkeys(("patternProperties", "unevaluatedProperties"), _skip)
        additional = _unless_patterns(base.VALIDATORS["additionalProperties"])
        pattern = _if_simple(base.VALIDATORS["pattern"])
        extend: Any = validators.extend
        return extend(
            base, {**counted, **skipped, "additionalProperties": additional, "pattern": pattern}
        )

    def _count(self, follow: _Keyword) -> _Keyword:
        def counted(
            validator: Any, value: object, instance: object, schema: Any
        ) -> Iterator[ValidationError]:
            self._references += 1
            if self._references > MAX_REFERENCES:
                raise _TooManyReferencesError
            yield from follow(validator, value, instance, schema)

        return counted


class _TooManyReferencesError(Exception):
    """A schema refers to itself more often than any useful one does."""


def read_object_schema(schema: object) -> dict[str, Any] | None:
    """Return a capability's schema as that of a tool's arguments, or None if it cannot be that.

    Args:
        schema: What the catalog holds; anything.
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
    """Tell whether a schema refers to nothing outside, and puts no argument into an HTTP header."""
    rest = [schema]
    while rest:
        part = rest.pop()
        if isinstance(part, list):
            rest += part
        elif isinstance(part, dict):
            rest += part.values()
            if "x-mcp-header" in part or "$id" in part:
                return False
            for name in _REFERENCES:
                if not str(part.get(name, "#")).startswith("#"):
                    return False
    return True


def _skip(*_: object) -> Iterator[ValidationError]:
    return iter(())


def _if_simple(match: _Keyword) -> Callable[..., Iterator[ValidationError]]:
    """Enforce only a regular expression that cannot take long: with one quantifier, of no group."""

    def matched(
        validator: Any, value: object, instance: object, schema: Any
    ) -> Iterator[ValidationError]:
        pattern = str(value)
        simple = len(_QUANTIFIER.findall(pattern)) <= 1 and not _REPEATED_GROUP.search(pattern)
        if simple and len(str(instance)) <= MAX_MATCHED_CHARS:
            with contextlib.suppress(re.error):  # one in the dialect of another language
                yield from match(validator, value, instance, schema)

    return matched


def _unless_patterns(check: _Keyword) -> Callable[..., Iterator[ValidationError]]:
    """Leave `additionalProperties` alone where names may be allowed by a pattern."""

    def checked(
        validator: Any, value: object, instance: object, schema: Any
    ) -> Iterator[ValidationError]:
        if "patternProperties" not in schema:
            yield from check(validator, value, instance, schema)

    return checked
