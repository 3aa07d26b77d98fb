"""Offer jobs as tasks (the extension io.modelcontextprotocol/tasks, SEP-2663).

A task is a job: its id is the job's id, and its state is read from the platform. The server stores
nothing, so a task survives a restart of the server.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple

from mcp import types
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import MCP_NAME_HEADER, decode_header_value
from mcp_types import HEADER_MISMATCH, INTERNAL_ERROR, INVALID_PARAMS
from mcp_types.jsonrpc import MISSING_REQUIRED_CLIENT_CAPABILITY

from chaojiyuyan_core.models import TERMINAL_JOB_STATUSES
from chaojiyuyan_core.times import parse_iso

from ._client import TASKS_EXTENSION, Client
from ._jobs import is_job_id, show_ended_job
from ._results import JsonObject, translate_error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mcp.server import ServerRequestContext
    from mcp.server.lowlevel import Server

    from chaojiyuyan_core.models import JobData

    from ._platform import Platform
    from ._results import Results

POLL_TIMEOUT = 10.0
"""Maximum seconds for reading a job. It is short, because the client polls again."""

MIN_POLL_MS = 500
MAX_POLL_MS = 10_000

POLLS_PER_AGE = 10
"""The poll interval is the job's age divided by this, so that the end is noticed soon enough."""


class TaskParams(types.RequestParams):
    """The parameters of `tasks/get`, `tasks/update` and `tasks/cancel`."""

    task_id: str


class Task(NamedTuple):
    """A running job that is returned to a client as a task.

    Attributes:
        job: The job.
    """

    job: JobData

    def created(self, results: Results) -> JsonObject:
        """Return the result of a tool call that has created a task.

        Args:
            results: Cleans the status of the job.
        """
        return {"resultType": "task", **_state(self.job, "working", results)}


class Tasks:
    """Handles the three methods of the extension."""

    def __init__(self, platform: Platform, results: Results) -> None:
        """Store the dependencies.

        Args:
            platform: Reads the jobs.
            results: Makes the results of ended tasks.
        """
        self._platform = platform
        self._results = results

    def register(self, server: Server[None]) -> None:
        """Add the extension to a server.

        Args:
            server: The server.
        """
        server.extensions[TASKS_EXTENSION] = {}
        for method, answer in (
            ("tasks/get", self._get),
            ("tasks/update", self._acknowledge),
            ("tasks/cancel", self._acknowledge),
        ):
            server.add_request_handler(method, TaskParams, _guarded(answer))

    async def _get(self, task_id: str) -> JsonObject:
        """Return the present state of a task."""
        job = await self._read(task_id)
        if job is None:
            return _unreachable(task_id)
        if job["status"] not in TERMINAL_JOB_STATUSES:
            return _state(job, "working", self._results)
        answer = await show_ended_job(job, self._platform)
        result = self._results.success(answer)
        dumped = result.model_dump(by_alias=True, mode="json", exclude_none=True)
        return {**_state(job, "completed", self._results), "result": dumped}

    async def _acknowledge(self, task_id: str) -> JsonObject:
        """Acknowledge an update or a cancellation, which the platform does not support."""
        await self._read(task_id)
        return {}

    async def _read(self, task_id: str) -> JobData | None:
        """Return a job, or None when the platform cannot be reached, which does not end the task.

        Raises:
            MCPError: The job does not exist, or the platform refuses to show it.
        """
        from chaojiyuyan_core import api, errors

        if not is_job_id(task_id):
            raise _unknown(task_id)
        call = api.get_job(task_id)
        reply = await self._platform.send(call, POLL_TIMEOUT)
        if reply.fault is not None or reply.is_transient:
            return None
        try:
            return reply.value(call)
        except errors.HebingAPIError as error:
            if error.status_code == 404 and error.code is not None:
                raise _unknown(task_id) from None
            # An error without a code does not come from the API, but for example from a proxy.
            if error.status_code == 404 or not 400 <= error.status_code < 500:
                return None
            known = translate_error(error, base_url=self._platform.settings.base_url)
            text = self._results.clean_text(f"{known.error}. {known.hint}")
            raise MCPError(INTERNAL_ERROR, text) from None


def _guarded(
    answer: Callable[[str], Awaitable[JsonObject]],
) -> Callable[[ServerRequestContext[None], TaskParams], Awaitable[JsonObject]]:
    """Check that a request comes from a client with tasks, and that its header matches."""

    async def handle(context: ServerRequestContext[None], params: TaskParams) -> JsonObject:
        if not Client(context).takes_tasks:
            raise MCPError(
                MISSING_REQUIRED_CLIENT_CAPABILITY,
                "Missing required client capability",
                {"requiredCapabilities": {"extensions": {TASKS_EXTENSION: {}}}},
            )
        request = context.request
        if request is not None:
            named = decode_header_value(request.headers.get(MCP_NAME_HEADER))
            if named != params.task_id:
                raise MCPError(HEADER_MISMATCH, "Mcp-Name is not the taskId of the request")
        return await answer(params.task_id)

    return handle


def _state(job: JobData, status: str, results: Results) -> JsonObject:
    """Return the members that every state of a task has."""
    now = datetime.now(timezone.utc)
    created = parse_iso(job.get("created_at")) or now
    ended = parse_iso(job.get("completed_at"))
    age_ms = (now - created).total_seconds() * 1000
    return {
        "taskId": job["id"],
        "status": status,
        "statusMessage": results.clean_text(job["status"]),
        "createdAt": created.isoformat(),
        "lastUpdatedAt": (ended or now).isoformat(),
        "ttlMs": None,
        "pollIntervalMs": int(min(max(age_ms / POLLS_PER_AGE, MIN_POLL_MS), MAX_POLL_MS)),
    }


def _unreachable(task_id: str) -> JsonObject:
    """Return the state of a task while its job cannot be read."""
    now = datetime.now(timezone.utc).isoformat()
    return {
        "taskId": task_id,
        "status": "working",
        "statusMessage": "unknown: the platform cannot be reached now",
        "createdAt": now,
        "lastUpdatedAt": now,
        "ttlMs": None,
        "pollIntervalMs": MAX_POLL_MS,
    }


def _unknown(task_id: str) -> MCPError:
    return MCPError(INVALID_PARAMS, f"Unknown task: you have no job {task_id[:200]!r}")
