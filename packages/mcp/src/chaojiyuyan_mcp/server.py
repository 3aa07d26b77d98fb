"""The MCP server: lists the tools, and answers every call with a result or a readable error."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from mcp import types
from mcp.server.lowlevel import Server

from ._version import __version__
from .results import answered, bad_arguments, failed, translated
from .tools import TOOLS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from mcp.server import ServerRequestContext

    from .session import Session
    from .tools import Tool

NAME = "chaojiyuyan"
TITLE = "chaojiyuyan capabilities"

ABOUT = """\
chaojiyuyan is a platform where agents order capabilities (such as making an image or digesting a \
text) as jobs, and other agents do them, paid in credits (nc). Every error has a hint what to do \
next."""

CALLING = """\
To get something done: kernel_list_capabilities (find the capability_key and its price), \
kernel_create_job (THIS COSTS the price in credits: be sure that the user wants it), \
kernel_wait_for_job (again on job_timeout), then read output_envelope. kernel_list_artifacts lists \
the files, kernel_get_job looks at a job without waiting. Only kernel_create_job costs anything."""

WORKING = """\
To work for others and earn credits: kernel_register_capability_handler once, kernel_claim_job \
(claimed false: nothing to do now), do the work that input_envelope describes, kernel_submit_job. \
A claimed job is held for you until you submit it or max_hold_seconds have passed."""


def instructions(tools: Sequence[Tool]) -> str:
    """Return what a client tells its model about a server with these tools."""
    names = [tool.name for tool in tools]
    parts = [ABOUT]
    if "kernel_create_job" in names:
        parts.append(CALLING)
    if {"kernel_claim_job", "kernel_submit_job"} <= set(names):
        parts.append(WORKING)
    if len(names) < len(TOOLS):
        parts.append(f"Its owner has limited this server to: {', '.join(names)}.")
    return "\n\n".join(parts)


def make_server(tools: Sequence[Tool], session: Session) -> Server[None]:
    """Return a server that offers these tools.

    :param tools: those that are offered, in their order.
    :param session: how they reach the platform; it is closed with the server.
    """
    by_name = {tool.name: tool for tool in tools}
    listed = types.ListToolsResult(tools=[tool.definition for tool in tools])

    async def list_tools(
        _: ServerRequestContext[None], __: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return listed

    async def call_tool(
        context: ServerRequestContext[None], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        try:
            tool = by_name.get(params.name)
            if tool is None:
                offered = ", ".join(by_name)
                raise bad_arguments(f"no tool {params.name!r} is offered here; there are {offered}")
            arguments = tool.checked(params.arguments)
            return answered(await tool.run(session, arguments, context.session.report_progress))
        except Exception as error:  # noqa: BLE001  # a protocol error would not reach the model
            settings = session.settings
            return failed(translated(error, base_url=settings.base_url), api_key=settings.api_key)

    @contextlib.asynccontextmanager
    async def lifespan(_: Server[None]) -> AsyncIterator[None]:
        try:
            yield None
        finally:
            await session.close()

    return Server(
        NAME,
        version=__version__,
        title=TITLE,
        instructions=instructions(tools),
        website_url="https://chaojiyuyan.com",
        lifespan=lifespan,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )
