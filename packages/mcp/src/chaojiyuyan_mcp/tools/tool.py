"""What a tool is: how it is described to a model, what it takes, and what it does."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mcp import types

from chaojiyuyan_mcp.results import bad_arguments

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jsonschema.protocols import Validator

    from chaojiyuyan_mcp.session import Session

Arguments = dict[str, Any]
"""A tool's arguments, held against its schema already."""

Report = Callable[[float, float, str], Awaitable[None]]
"""Tells the client how far a call is: seconds so far, seconds at most, and a few words."""

_LONGEST_COMPLAINT = 300


@dataclass(frozen=True)
class Tool:
    """A tool of the server.

    :param name: what it is called by.
    :param title: what people see.
    :param description: what a model goes by: what it does, when to use it, what it costs.
    :param toolset: ``caller`` or ``worker``.
    :param read_only: it creates and changes nothing.
    :param idempotent: calling it again with the same arguments changes nothing more.
    :param input_schema: what its arguments must fit (JSON Schema 2020-12).
    :param output_schema: what its result fits.
    :param run: does it, and returns the result.
    """

    name: str
    title: str
    description: str
    toolset: str
    read_only: bool
    idempotent: bool
    input_schema: Mapping[str, object]
    output_schema: Mapping[str, object]
    run: Callable[[Session, Arguments, Report], Awaitable[Mapping[str, object]]]

    @property
    def definition(self) -> types.Tool:
        """How the protocol lists it.

        None is destructive in the protocol's sense: they add, and overwrite or delete nothing.
        """
        return types.Tool(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=dict(self.input_schema),
            output_schema=dict(self.output_schema),
            annotations=types.ToolAnnotations(
                title=self.title,
                read_only_hint=self.read_only,
                destructive_hint=False,
                idempotent_hint=self.idempotent,
                open_world_hint=True,
            ),
        )

    def checked(self, arguments: Arguments | None) -> Arguments:
        """Return the arguments if they fit the schema that the tool is listed with.

        :raises ToolError: ``bad_arguments``, with what does not fit.
        """
        from jsonschema.exceptions import best_match

        given = arguments or {}
        try:
            json.dumps(given, allow_nan=False)
        except ValueError:
            raise bad_arguments("a number is NaN or infinite, which JSON cannot say") from None
        misfit = best_match(self._validator.iter_errors(given))
        if misfit is None:
            return given
        place = "".join(
            f"[{step}]" if isinstance(step, int) else f".{step}" for step in misfit.path
        )
        complaint = misfit.message
        if misfit.validator == "pattern":  # its message would quote the pattern
            complaint = f"{misfit.instance!r} does not fit. {misfit.schema['description']}"
        if len(complaint) > _LONGEST_COMPLAINT:
            complaint = complaint[:_LONGEST_COMPLAINT] + "…"
        raise bad_arguments(f"{place.lstrip('.')}: {complaint}" if place else complaint)

    @cached_property
    def _validator(self) -> Validator:
        # Loaded with the first call: the schemas are plain data until then.
        from jsonschema import Draft202012Validator

        return Draft202012Validator(self.input_schema)
