"""The client of a request: its declared capabilities, and messages to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcp.types import ElicitResult
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

if TYPE_CHECKING:
    from mcp.server import ServerRequestContext
    from mcp.types import CallToolRequestParams

TASKS_EXTENSION = "io.modelcontextprotocol/tasks"
"""The extension with which a client accepts tasks (SEP-2663)."""


@dataclass(frozen=True)
class Client:
    """The client of one request. Since revision 2026-07-28, each request declares capabilities.

    Attributes:
        context: The context of the request.
        params: The parameters of the `tools/call` request; None for other methods.
    """

    context: ServerRequestContext[None]
    params: CallToolRequestParams | None = None

    @property
    def is_modern(self) -> bool:
        """Whether the client uses revision 2026-07-28 or later, whose requests are stateless."""
        return self.context.protocol_version in MODERN_PROTOCOL_VERSIONS

    @property
    def takes_tasks(self) -> bool:
        """Whether the client declared the tasks extension. Earlier revisions do not have tasks."""
        declared = self.context.session.client_capabilities
        extensions = (declared and declared.extensions) or {}
        return self.is_modern and TASKS_EXTENSION in extensions

    @property
    def shows_forms(self) -> bool:
        """Whether the client can show a form to its user. An empty declaration means forms."""
        declared = self.context.session.client_capabilities
        if declared is None or declared.elicitation is None:
            return False
        elicitation = declared.elicitation
        return elicitation.form is not None or elicitation.url is None

    async def report(self, progress: float, total: float, message: str) -> None:
        """Report the progress of the call.

        Args:
            progress: Elapsed seconds.
            total: Maximum seconds.
            message: A short description of the state.
        """
        await self.context.session.report_progress(progress, total, message)

    async def ask(self, message: str, schema: dict[str, object], *, timeout: float) -> ElicitResult:
        """Show a form to the user with `elicitation/create`, for revisions before 2026-07-28.

        Args:
            message: The text of the form.
            schema: The JSON Schema of the fields.
            timeout: Maximum seconds to wait for the answer.

        Returns:
            The user's answer.

        Raises:
            MCPError: The client cannot show the form, or the timeout has passed.
        """
        from mcp.shared.message import ServerMessageMetadata
        from mcp.types import ElicitRequest, ElicitRequestFormParams

        return await self.context.session.send_request(
            ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema)),
            ElicitResult,
            request_read_timeout_seconds=timeout,
            metadata=ServerMessageMetadata(related_request_id=self.context.request_id),
        )
