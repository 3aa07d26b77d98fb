"""How tools order: validation, approval, the job, and every error as a text for a model."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from chaojiyuyan_core.errors import HebingError, InputInvalid, JobFailed, JobTimeout
from chaojiyuyan_core.text import strip_invisible

from ._arguments import to_object
from .tools import clean

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from chaojiyuyan_core.models import JsonObject
    from chaojiyuyan_core.redaction import Redactor

    from .job import AsyncJob, Job
    from .tools import Approve, Tool

    Perform = Callable[[Tool, JsonObject, list[str]], Job]
    PerformAsync = Callable[[Tool, JsonObject, list[str]], Awaitable[AsyncJob]]

MAX_ERROR = 1000
"""Characters of an error that a model reads at most."""

DECLINED = "Error: The order was declined. Nothing was ordered: do not try it again unasked."


class ToolOrders(ABC):
    """Orders the jobs of one client's tools.

    Args:
        approve: Asked before each order, after the input was checked; None approves all.
        redactor: Keeps the agent key out of what a model reads.
    """

    def __init__(self, approve: Approve | None, redactor: Redactor) -> None:
        self._approve = approve
        self._redactor = redactor

    @abstractmethod
    def use(self, tool: Tool, payload: object) -> JsonObject | str:
        """Use a tool on the calling thread; see :meth:`Tool.call`."""

    @abstractmethod
    async def use_async(self, tool: Tool, payload: object) -> JsonObject | str:
        """Use a tool on the running event loop; see :meth:`Tool.acall`."""

    def _ask(self, tool: Tool, payload: JsonObject) -> bool | Awaitable[bool]:
        return self._approve is None or self._approve(tool, payload)

    async def _is_approved(self, tool: Tool, payload: JsonObject) -> bool:
        verdict = self._ask(tool, payload)
        return bool(await verdict if inspect.isawaitable(verdict) else verdict)

    def _output(self, job: Job | AsyncJob) -> JsonObject:
        output: JsonObject = clean(job._output(), self._redactor.text)
        return output

    def _explain(self, error: Exception, job_ids: list[str]) -> str:
        text = strip_invisible(self._redactor.text(explain(error, job_ids)), MAX_ERROR)
        return f"Error: {text}"


class ThreadToolOrders(ToolOrders):
    """Orders by a sync client; an event loop is served from a thread.

    Args:
        approve: See :class:`ToolOrders`.
        redactor: See :class:`ToolOrders`.
        perform: Orders a job, appends its id to the list, and waits for it.
    """

    def __init__(self, approve: Approve | None, redactor: Redactor, perform: Perform) -> None:
        super().__init__(approve, redactor)
        self._perform = perform

    def use(self, tool: Tool, payload: object) -> JsonObject | str:
        """Use a tool on the calling thread; see :meth:`Tool.call`."""
        job_ids: list[str] = []
        try:
            checked = check_tool_input(tool, payload)
            verdict = self._ask(tool, checked)
            if not (_finish(verdict) if inspect.isawaitable(verdict) else verdict):
                return DECLINED
            return self._output(self._perform(tool, checked, job_ids))
        except Exception as error:  # noqa: BLE001  (a model reads it)
            return self._explain(error, job_ids)

    async def use_async(self, tool: Tool, payload: object) -> JsonObject | str:
        """Use a tool from an event loop; see :meth:`Tool.acall`."""
        from anyio import to_thread

        job_ids: list[str] = []
        try:
            checked = check_tool_input(tool, payload)
            if not await self._is_approved(tool, checked):
                return DECLINED
            job = await to_thread.run_sync(
                self._perform, tool, checked, job_ids, abandon_on_cancel=True
            )
            return self._output(job)
        except Exception as error:  # noqa: BLE001  (a model reads it)
            return self._explain(error, job_ids)


class LoopToolOrders(ToolOrders):
    """Orders by an async client.

    Args:
        approve: See :class:`ToolOrders`.
        redactor: See :class:`ToolOrders`.
        perform: Orders a job, appends its id to the list, and waits for it.
    """

    def __init__(self, approve: Approve | None, redactor: Redactor, perform: PerformAsync) -> None:
        super().__init__(approve, redactor)
        self._perform = perform

    def use(self, tool: Tool, payload: object) -> JsonObject | str:  # noqa: ARG002
        """Refuse: the client's connections belong to an event loop."""
        raise RuntimeError(
            f"The tool {tool.name} is of an AsyncNexusClient: await acall(), or make the tools by"
            " a NexusClient"
        )

    async def use_async(self, tool: Tool, payload: object) -> JsonObject | str:
        """Use a tool on the running event loop; see :meth:`Tool.acall`."""
        job_ids: list[str] = []
        try:
            checked = check_tool_input(tool, payload)
            if not await self._is_approved(tool, checked):
                return DECLINED
            return self._output(await self._perform(tool, checked, job_ids))
        except Exception as error:  # noqa: BLE001  (a model reads it)
            return self._explain(error, job_ids)


def check_tool_input(tool: Tool, payload: object) -> JsonObject:
    """Return the input of a tool as an object that matches its schema.

    Without the extra ``chaojiyuyan-client[validate]``, only that it is an object is checked.

    Args:
        tool: The tool.
        payload: What the model wrote.

    Raises:
        TypeError: It is not an object.
        InputInvalid: It does not match the schema.
    """
    from ._validation import check_input

    checked: JsonObject = to_object("input", payload)
    with contextlib.suppress(ImportError):
        check_input(checked, tool.input_schema)
    return checked


def explain(error: Exception, job_ids: list[str]) -> str:
    """Say to a model what happened, and what to do, so that it does not pay twice.

    Args:
        error: What was raised.
        job_ids: The job that was ordered by then, if any.
    """
    if isinstance(error, JobTimeout):
        ordered = job_ids[0] if job_ids else error.job_id
        return (
            f"Job {ordered} has not ended within {error.timeout:g} s. It goes on and is paid for:"
            f" do not order it again. Its result can be had later by the job id {ordered}."
        )
    if isinstance(error, JobFailed):
        return f"{error}. Another order costs its price again."
    if isinstance(error, (InputInvalid, TypeError)) and not job_ids:
        return f"{error}. Nothing was ordered: correct the input and call again."
    if job_ids:
        return (
            f"Job {job_ids[0]} was ordered, but its result could not be read: {error}. Do not order"
            f" it again. Its result can be had later by the job id {job_ids[0]}."
        )
    if isinstance(error, HebingError):
        return str(error)
    return (
        f"The order failed: {type(error).__name__}: {error}. It is not known whether a job was"
        " ordered: do not order it again unasked."
    )


def _finish(awaitable: Awaitable[bool]) -> bool:
    """Run an async approval to its end, from a thread that has no event loop."""

    async def finish() -> bool:
        return await awaitable

    return _run(finish())


def _run(work: Coroutine[Any, Any, bool]) -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    work.close()
    raise RuntimeError("an async approve needs acall() where an event loop is running")
