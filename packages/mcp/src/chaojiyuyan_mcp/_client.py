"""The client behind a request: what it declared that it can do, and how to speak to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp.types import ElicitResult
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

if TYPE_CHECKING:
    from mcp.server import ServerRequestContext
    from mcp.types import CallToolRequestParams

TASKS_EXTENSION = "io.modelcontextprotocol/tasks"
"""The extension by which a client takes tasks (SEP-2663)."""


@dataclass(frozen=True)
class Client:
    """The client of one request. Capabilities hold for this request alone (revision 2026-07-28).

    Attributes:
        context: The request's context.
        params: The parameters of its `tools/call`; None for other methods.
    """

    context: ServerRequestContext[None]
    params: CallToolRequestParams | None = None

    @property
    def is_modern(self) -> bool:
        """Whether it speaks 2026-07-28 or later: each request stands alone."""
        return self.context.protocol_version in MODERN_PROTOCOL_VERSIONS

    @property
    def takes_tasks(self) -> bool:
        """Whether it declared the tasks extension; earlier revisions cannot carry a task."""
        declared = self.context.session.client_capabilities
        extensions = (declared and declared.extensions) or {}
        return self.is_modern and TASKS_EXTENSION in extensions

    @property
    def shows_forms(self) -> bool:
        """Whether it can show its user a form. An empty declaration means forms."""
        declared = self.context.session.client_capabilities
        if declared is None or declared.elicitation is None:
            return False
        elicitation = declared.elicitation
        return elicitation.form is not None or elicitation.url is None

    async def report(self, progress: float, total: float, message: str) -> None:
        """Tell how far the call is.

        Args:
            progress: Seconds so far.
            total: Seconds at most.
            message: A few words.
        """
        await self.context.session.report_progress(progress, total, message)

    async def ask(self, message: str, schema: dict[str, object], *, timeout: float) -> ElicitResult:
        """Show the user a form, in the way of the revisions before 2026-07-28.

        Args:
            message: What the form says.
            schema: Its fields.
            timeout: Seconds that the user has.

        Returns:
            The answer.

        Raises:
            MCPError: The client cannot show it, or the time is over.
        """
        from mcp.shared.message import ServerMessageMetadata
        from mcp.types import ElicitRequest, ElicitRequestFormParams

        return await self.context.session.send_request(
            ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema)),
            ElicitResult,
            request_read_timeout_seconds=timeout,
            metadata=ServerMessageMetadata(related_request_id=self.context.request_id),
        )
