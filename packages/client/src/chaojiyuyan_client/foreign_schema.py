"""Check values against a JSON Schema that comes from a stranger.

The publisher of a capability writes its schema. The schema must not make this process send a
request or compute forever. Therefore references are resolved only inside the schema, with a limit
on their number, and only simple regular expressions are enforced, because others can take
exponential time. The platform checks the input against the whole schema too.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from jsonschema.exceptions import ValidationError

MAX_REFERENCES = 10_000
"""Maximum references in one check. Their number can double at each level of a schema."""

MAX_MATCHED_CHARS = 2_000
"""Maximum characters of a text that is matched with a stranger's regular expression."""

REFERENCES = ("$ref", "$dynamicRef")
"""The keywords that refer to another schema."""

_QUANTIFIER = re.compile(r"(?<!\()[*+?]|\{\d*,\d*\}")
_REPEATED_GROUP = re.compile(r"\)[*+?{]")

_Keyword = Any  # jsonschema has no type for the functions behind the keywords


class UncheckableSchema(Exception):
    """A schema cannot be checked: it is invalid, too deep or has external references."""


class ForeignSchema:
    """Checks values against a stranger's schema, without requests and in bounded time.

    Args:
        schema: The schema. ``$schema`` sets its dialect, by default JSON Schema 2020-12.

    Raises:
        UncheckableSchema: The schema is invalid.
        ImportError: jsonschema is not installed.
    """

    def __init__(self, schema: Mapping[str, object]) -> None:
        from jsonschema import Draft202012Validator, FormatChecker
        from jsonschema.exceptions import SchemaError
        from jsonschema.validators import validator_for
        from referencing import Registry

        dialect: Any = validator_for(schema, default=Draft202012Validator)
        try:
            # Without format checks, because the "regex" format compiles the schema's expressions.
            dialect.check_schema(dict(schema), format_checker=FormatChecker(()))
        except (SchemaError, RecursionError) as error:
            raise UncheckableSchema(type(error).__name__) from error
        self._references = 0
        # With an empty registry, an external reference is an error and never a request.
        self._validator = self._limit(dialect)(dict(schema), registry=Registry())

    def find_misfit(self, value: object) -> ValidationError | None:
        """Return the most relevant validation error, or None when the value is valid.

        Args:
            value: The value.

        Raises:
            UncheckableSchema: The schema is nested too deeply, or it has external or endless
                references.
        """
        from jsonschema.exceptions import best_match
        from referencing.exceptions import Unresolvable

        self._references = 0
        try:
            misfit: ValidationError | None = best_match(self._validator.iter_errors(value))
        except (RecursionError, Unresolvable) as error:
            raise UncheckableSchema(type(error).__name__) from error
        return misfit

    def _limit(self, base: Any) -> Any:
        """Return a validator class with bounded work."""
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
                raise UncheckableSchema("too many references")
            yield from follow(validator, value, instance, schema)

        return counted


def _skip(*_: object) -> Iterator[ValidationError]:
    return iter(())


def _if_simple(match: _Keyword) -> Callable[..., Iterator[ValidationError]]:
    """Enforce a regular expression only when it is fast: one quantifier, no repeated group."""

    def matched(
        validator: Any, value: object, instance: object, schema: Any
    ) -> Iterator[ValidationError]:
        pattern = str(value)
        simple = len(_QUANTIFIER.findall(pattern)) <= 1 and not _REPEATED_GROUP.search(pattern)
        if simple and len(str(instance)) <= MAX_MATCHED_CHARS:
            with contextlib.suppress(re.error):  # an expression of another dialect
                yield from match(validator, value, instance, schema)

    return matched


def _unless_patterns(check: _Keyword) -> Callable[..., Iterator[ValidationError]]:
    """Skip `additionalProperties` when a pattern may allow the names."""

    def checked(
        validator: Any, value: object, instance: object, schema: Any
    ) -> Iterator[ValidationError]:
        if "patternProperties" not in schema:
            yield from check(validator, value, instance, schema)

    return checked
