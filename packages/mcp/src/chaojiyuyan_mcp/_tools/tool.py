"""What a tool is: how it is described to a model, what it takes, and what it does."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from mcp import types

from chaojiyuyan_core.text import strip_invisible
from chaojiyuyan_mcp._results import Answer, Results, bad_arguments
from chaojiyuyan_mcp._tasks import Task

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from chaojiyuyan_mcp._client import Client
    from chaojiyuyan_mcp._services import Services

    from .validation import Checker

Arguments = dict[str, Any]
"""A tool's arguments, checked against its schema already."""

Outcome = Answer | Task | types.InputRequiredResult
"""An answer, a job that goes on as a task, or a question to the user."""

MAX_COMPLAINT_CHARS = 300

_ICON = (
    "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHZpZXdCb3g9IjAg"
    "MCAxNiAxNiI+PHBhdGggZD0iTTggMSAxNCA0LjV2N0w4IDE1bC02LTMuNXYtN3oiIGZpbGw9IiMyNTYzZWIiLz48L3N2Zz4="
)
ICONS = [types.Icon(src=_ICON, mime_type="image/svg+xml", sizes=["any"])]
"""The icon of each tool. The server has none: it would go out with every result."""


@dataclass(frozen=True)
class ToolCall:
    """One call of a tool.

    Attributes:
        arguments: Its arguments.
        client: Who calls.
        services: What the tools of a server share.
        results: Cleans what is reported meanwhile.
        began: When it came, by the monotonic clock.
    """

    arguments: Arguments
    client: Client
    services: Services
    results: Results
    began: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Tool:
    """A tool of the server.

    Attributes:
        name: What it is called by.
        title: What people see.
        description: What a model goes by: what it does, when to use it, what it costs.
        toolset: `caller` or `worker`.
        read_only: It creates and changes nothing.
        idempotent: Calling it again with the same arguments changes nothing more.
        input_schema: What its arguments must fit (JSON Schema 2020-12).
        output_schema: What its result fits.
        run: Does it.
        is_foreign: The input schema comes from the platform's catalog.
    """

    name: str
    title: str
    description: str
    toolset: str
    read_only: bool
    idempotent: bool
    input_schema: Mapping[str, object]
    output_schema: Mapping[str, object]
    run: Callable[[ToolCall], Awaitable[Outcome]]
    is_foreign: bool = False

    @cached_property
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
            icons=ICONS,
            annotations=types.ToolAnnotations(
                title=self.title,
                read_only_hint=self.read_only,
                destructive_hint=False,
                idempotent_hint=self.idempotent,
                open_world_hint=True,
            ),
        )

    def check(self, arguments: Arguments | None) -> Arguments:
        """Return the arguments if they fit the schema that the tool is listed with.

        Args:
            arguments: As the client sent them.

        Raises:
            ToolError: `bad_arguments`, with what does not fit.
        """
        given = arguments or {}
        try:
            json.dumps(given, allow_nan=False)
        except ValueError:
            raise bad_arguments("a number is NaN or infinite, which JSON cannot say") from None
        if not self.is_foreign:
            self._check_names(given)
        complaint = self._checker.find_misfit(given)
        if complaint is not None:
            raise bad_arguments(strip_invisible(complaint, MAX_COMPLAINT_CHARS))
        return given

    def _check_names(self, given: Arguments) -> None:
        """Name an unknown argument first: the errors that follow from it would mislead."""
        known = cast("dict[str, object]", self.input_schema["properties"])
        for name in given:
            if name not in known:
                similar = get_close_matches(name, known, 1, 0.5)
                guess = f"; did you mean {similar[0]!r}?" if similar else ""
                raise bad_arguments(f"unknown argument {name[:100]!r}{guess}")

    @cached_property
    def _checker(self) -> Checker:
        # Loaded with the first call: the schemas are plain data until then.
        from .validation import Checker

        return Checker(self.input_schema, is_foreign=self.is_foreign)
