"""The calls of tools: validation, approval, the job, and errors as texts for a model."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from chaojiyuyan_core.errors import HebingError, InputInvalid, JobFailed, JobTimeout
from chaojiyuyan_core.text import strip_invisible

from ._arguments import to_object
from .tools import clean

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from chaojiyuyan_core.models import JsonObject
    from chaojiyuyan_core.redaction import Redactor

    from .job import AsyncJob, Job
    from .tools import Approve, Tool

    Perform = Callable[[Tool, JsonObject, list[str]], Job]
    PerformAsync = Callable[[Tool, JsonObject, list[str]], Awaitable[AsyncJob]]

MAX_ERROR = 1000
"""Maximum characters of an error for a model."""

DECLINED = "Error: The order was declined. Nothing was ordered. Do not retry it unless asked."


class ToolOrders(ABC):
    """Orders the jobs of one client's tools.

    Args:
        approve: Called before each order with the checked input; None approves all orders.
        redactor: Removes the agent key from texts for a model.
    """

    def __init__(self, approve: Approve | None, redactor: Redactor) -> None:
        self._approve = approve
        self._redactor = redactor

    @abstractmethod
    def use(self, tool: Tool, payload: object) -> JsonObject | str:
        """Call a tool on the calling thread; see :meth:`Tool.call`."""

    async def use_async(self, tool: Tool, payload: object) -> JsonObject | str:
        """Call a tool on the running event loop; see :meth:`Tool.acall`."""
        job_ids: list[str] = []
        try:
            checked = check_tool_input(tool, payload)
            verdict = self._ask(tool, checked)
            if not (await verdict if inspect.isawaitable(verdict) else verdict):
                return DECLINED
            return self._output(await self._order(tool, checked, job_ids))
        except Exception as error:  # noqa: BLE001  (a model reads it)
            return self._explain(error, job_ids)

    @abstractmethod
    async def _order(self, tool: Tool, payload: JsonObject, job_ids: list[str]) -> Job | AsyncJob:
        """Order a job, append its id to the list, and wait for it."""

    def _ask(self, tool: Tool, payload: JsonObject) -> bool | Awaitable[bool]:
        return self._approve is None or self._approve(tool, payload)

    def _output(self, job: Job | AsyncJob) -> JsonObject:
        output: JsonObject = clean(job._output(), self._redactor.text)
        return output

    def _explain(self, error: Exception, job_ids: list[str]) -> str:
        text = strip_invisible(self._redactor.text(explain(error, job_ids)), MAX_ERROR)
        return f"Error: {text}"


class ThreadToolOrders(ToolOrders):
    """Orders with a sync client. Calls from an event loop run on a thread.

    Args:
        approve: See :class:`ToolOrders`.
        redactor: See :class:`ToolOrders`.
        perform: Orders a job, appends its id to the list, and waits for it.
    """

    def __init__(self, approve: Approve | None, redactor: Redactor, perform: Perform) -> None:
        super().__init__(approve, redactor)
        self._perform = perform

    def use(self, tool: Tool, payload: object) -> JsonObject | str:
        """Call a tool on the calling thread; see :meth:`Tool.call`."""
        job_ids: list[str] = []
        try:
            checked = check_tool_input(tool, payload)
            verdict = self._ask(tool, checked)
            if not (_finish(verdict) if inspect.isawaitable(verdict) else verdict):
                return DECLINED
            return self._output(self._perform(tool, checked, job_ids))
        except Exception as error:  # noqa: BLE001  (a model reads it)
            return self._explain(error, job_ids)

    async def _order(self, tool: Tool, payload: JsonObject, job_ids: list[str]) -> Job:
        from anyio import to_thread

        return await to_thread.run_sync(
            self._perform, tool, payload, job_ids, abandon_on_cancel=True
        )


class LoopToolOrders(ToolOrders):
    """Orders with an async client.

    Args:
        approve: See :class:`ToolOrders`.
        redactor: See :class:`ToolOrders`.
        perform: Orders a job, appends its id to the list, and waits for it.
    """

    def __init__(self, approve: Approve | None, redactor: Redactor, perform: PerformAsync) -> None:
        super().__init__(approve, redactor)
        self._perform = perform

    def use(self, tool: Tool, payload: object) -> JsonObject | str:  # noqa: ARG002
        """Raise an error, because the client's connections belong to an event loop."""
        raise RuntimeError(
            f"The tool {tool.name} belongs to an AsyncNexusClient: await acall(), or make the tools"
            " with a NexusClient"
        )

    async def _order(self, tool: Tool, payload: JsonObject, job_ids: list[str]) -> AsyncJob:
        return await self._perform(tool, payload, job_ids)


def check_tool_input(tool: Tool, payload: object) -> JsonObject:
    """Return the input of a tool as an object that matches its schema.

    Without the extra ``chaojiyuyan-client[validate]``, the schema is not checked.

    Args:
        tool: The tool.
        payload: The input from the model.

    Raises:
        TypeError: The input is not an object.
        InputInvalid: The input does not match the schema.
    """
    from ._validation import check_input

    checked: JsonObject = to_object("input", payload)
    with contextlib.suppress(ImportError):
        check_input(checked, tool.input_schema)
    return checked


def explain(error: Exception, job_ids: list[str]) -> str:
    """Return a text that tells a model what happened and what to do, so that it does not pay twice.

    Args:
        error: The exception of the call.
        job_ids: The id of the ordered job, or empty.
    """
    if isinstance(error, JobTimeout):
        ordered = job_ids[0] if job_ids else error.job_id
        return (
            f"Job {ordered} has not ended within {error.timeout:g} s. It continues and is paid for:"
            f" do not order it again. Read its result later with the job id {ordered}."
        )
    if isinstance(error, JobFailed):
        return f"{error}. A new order costs the price again."
    if isinstance(error, (InputInvalid, TypeError)) and not job_ids:
        return f"{error}. Nothing was ordered: correct the input and call again."
    if job_ids:
        return (
            f"Job {job_ids[0]} was ordered, but its result could not be read: {error}. Do not order"
            f" it again. Read its result later with the job id {job_ids[0]}."
        )
    if isinstance(error, HebingError):
        return str(error)
    return (
        f"The order failed: {type(error).__name__}: {error}. A job may have been ordered. Do not"
        " order it again unless asked."
    )


def _finish(awaitable: Awaitable[bool]) -> bool:
    """Run an async approval on a thread without an event loop, and return its result."""

    async def finish() -> bool:
        return await awaitable

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(finish())
    raise RuntimeError("an async approve function needs acall() when an event loop is running")
