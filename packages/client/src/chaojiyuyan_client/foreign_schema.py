"""Values held against a JSON Schema that comes from a stranger.

A capability's schema is the work of whoever published it. It must not make this process read an
address, nor compute without end: references are resolved inside the schema alone and only so many
of them, and a regular expression is enforced only where it is simple, since others take a lifetime
to find no match. The platform holds the input against the whole schema as well.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from jsonschema.exceptions import ValidationError

MAX_REFERENCES = 10_000
"""References that one check follows: where each names two others, their number doubles."""

MAX_MATCHED_CHARS = 2_000
"""Characters of a text that is held against a stranger's regular expression."""

REFERENCES = ("$ref", "$dynamicRef")
"""The keywords that refer to another schema."""

_QUANTIFIER = re.compile(r"(?<!\()[*+?]|\{\d*,\d*\}")
_REPEATED_GROUP = re.compile(r"\)[*+?{]")

_Keyword = Any  # jsonschema has no type for the functions behind the keywords


class UncheckableSchema(Exception):
    """A schema cannot be held against a value: it is invalid, too deep or refers outside."""


class ForeignSchema:
    """A stranger's schema, held against values without a request and within bounds.

    Args:
        schema: The schema. Its dialect is that of ``$schema``, JSON Schema 2020-12 by default.

    Raises:
        UncheckableSchema: It is no schema.
        ImportError: jsonschema is not installed.
    """

    def __init__(self, schema: Mapping[str, object]) -> None:
        from jsonschema import Draft202012Validator, FormatChecker
        from jsonschema.exceptions import SchemaError
        from jsonschema.validators import validator_for
        from referencing import Registry

        dialect: Any = validator_for(schema, default=Draft202012Validator)
        try:
            # Without formats: one of them compiles the schema's regular expressions.
            dialect.check_schema(dict(schema), format_checker=FormatChecker(()))
        except (SchemaError, RecursionError) as error:
            raise UncheckableSchema(type(error).__name__) from error
        self._references = 0
        # An empty registry: a reference that leaves the schema is an error, never a request.
        self._validator = self._limit(dialect)(dict(schema), registry=Registry())

    def find_misfit(self, value: object) -> ValidationError | None:
        """Return what does not fit, or None where everything does.

        Args:
            value: The value.

        Raises:
            UncheckableSchema: The schema is nested too deeply, or refers outside or without end.
        """
        from jsonschema.exceptions import best_match
        from referencing.exceptions import Unresolvable

        self._references = 0
        try:
            misfit: ValidationError | None = best_match(self._validator.iter_errors(value))
        except (_TooManyReferencesError, RecursionError, Unresolvable) as error:
            raise UncheckableSchema(type(error).__name__) from error
        return misfit

    def _limit(self, base: Any) -> Any:
        """Return a validator that computes only so much."""
        from jsonschema import validators

        known = base.VALIDATORS
        limited = {name: self._count(known[name]) for name in REFERENCES if name in known}
        limited |= dict.fromkeys(("patternProperties", "unevaluatedProperties"), _skip)
        limited["additionalProperties"] = _unless_patterns(known["additionalProperties"])
        limited["pattern"] = _if_simple(known["pattern"])
        extend: Any = validators.extend
        return extend(base, limited)

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
