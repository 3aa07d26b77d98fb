"""The definition of a tool: its description for a model, its schemas and its function."""

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
"""The arguments of a tool, which were checked against its schema."""

Outcome = Answer | Task | types.InputRequiredResult
"""A result, a running job as a task, or a question to the user."""

MAX_COMPLAINT_CHARS = 300

_ICON = (
    "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHZpZXdCb3g9IjAg"
    "MCAxNiAxNiI+PHBhdGggZD0iTTggMSAxNCA0LjV2N0w4IDE1bC02LTMuNXYtN3oiIGZpbGw9IiMyNTYzZWIiLz48L3N2Zz4="
)
ICONS = [types.Icon(src=_ICON, mime_type="image/svg+xml", sizes=["any"])]
"""The icon of each tool. The server has no icon, because every result would repeat it."""


@dataclass(frozen=True)
class ToolCall:
    """One call of a tool.

    Attributes:
        arguments: The checked arguments.
        client: The client that calls.
        services: The objects that the tools of a server share.
        results: Cleans the texts of progress reports.
        began: The start of the call in seconds of the monotonic clock.
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
        name: The name in the protocol.
        title: The name for people.
        description: The description for the model: purpose, use and cost.
        toolset: `caller` or `worker`.
        read_only: Whether the tool creates and changes nothing.
        idempotent: Whether a second call with the same arguments changes nothing more.
        input_schema: The JSON Schema (2020-12) of the arguments.
        output_schema: The JSON Schema (2020-12) of the result.
        run: The function of the tool.
        is_foreign: Whether the input schema comes from the platform's catalog.
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
        """The definition of the tool in the protocol.

        No tool is destructive as the protocol defines it, because none overwrites or deletes data.
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
        """Return the arguments when they match the input schema.

        Args:
            arguments: The arguments from the client.

        Raises:
            ToolError: The arguments are invalid. The code is `bad_arguments`.
        """
        given = arguments or {}
        try:
            json.dumps(given, allow_nan=False)
        except ValueError:
            raise bad_arguments("a number is NaN or infinite, which JSON does not allow") from None
        if not self.is_foreign:
            self._check_names(given)
        complaint = self._checker.find_misfit(given)
        if complaint is not None:
            raise bad_arguments(strip_invisible(complaint, MAX_COMPLAINT_CHARS))
        return given

    def _check_names(self, given: Arguments) -> None:
        """Report an unknown argument first, because later errors would mislead."""
        known = cast("dict[str, object]", self.input_schema["properties"])
        for name in given:
            if name not in known:
                similar = get_close_matches(name, known, 1, 0.5)
                guess = f"; did you mean {similar[0]!r}?" if similar else ""
                raise bad_arguments(f"unknown argument {name[:100]!r}{guess}")

    @cached_property
    def _checker(self) -> Checker:
        # Imported with the first call, because the library is slow to import.
        from .validation import Checker

        return Checker(self.input_schema, is_foreign=self.is_foreign)
