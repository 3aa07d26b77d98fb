"""The argument of a handler: the job and its connection to the worker."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, MutableMapping
from datetime import datetime, timezone
from math import isfinite, isnan
from typing import TYPE_CHECKING, Any

from chaojiyuyan_core.errors import TaskCancelled
from chaojiyuyan_core.models import Artifact, JsonObject
from chaojiyuyan_core.times import parse_iso

from ._observe.health import JobProgress

if TYPE_CHECKING:
    Logger = logging.LoggerAdapter[logging.Logger]
else:
    Logger = logging.LoggerAdapter  # generic at run time from Python 3.11 on


TASK_LOGGER = "chaojiyuyan_worker.task"
"""The name of the logger of all tasks."""

_LOGGER = logging.getLogger(TASK_LOGGER)

_MAX_PROGRESS_CHARS = 200
"""Maximum characters of a progress message."""


class TaskContext:
    """One awarded job for its handler.

    Attributes:
        job_id: The id of the job.
        capability_key: The key of its capability.
        task_run_id: The id of this run, or None.
        input_envelope: The input of the job, a dict.
        max_budget_nc: Maximum payment of the caller in whole nc.
        bid_expires_at: The end of the bid window as an aware datetime, or None.
        lease_expires_at: The end of the lease at the award as an aware datetime, or None.
        attempt: 1 for the first run of the handler under this award, then 2, 3, …
        validation_errors: Why the platform refused the output of the last attempt, one string
            each.
        artifacts: The artifacts that :meth:`attach` has added.
        state: The value that the worker's lifespan yielded; None without a lifespan.
        logger: The logger behind :attr:`log`.
        last_progress: The last progress of this attempt, or None.

    Args:
        task_data: The offer from the API, with ``job_id``, ``capability_key``,
            ``input_envelope``, ``max_budget_nc`` and ``bid_expires_at``.
        task_run_id: The id of this run, from the award.
        lease_expires_at: The end of the lease at the award, in ISO 8601.
    """

    def __init__(
        self,
        task_data: Mapping[str, Any],
        *,
        task_run_id: str | None = None,
        lease_expires_at: str | datetime | None = None,
    ) -> None:
        data = self._data = dict(task_data)
        self.job_id: str = str(data.get("job_id", ""))
        self.capability_key: str = str(data.get("capability_key", ""))
        envelope = data.get("input_envelope")
        self.input_envelope: JsonObject = envelope if isinstance(envelope, dict) else {}
        budget = data.get("max_budget_nc")
        self.max_budget_nc: int = _whole(budget)
        self.bid_expires_at: datetime | None = _time(data.get("bid_expires_at"))
        self.task_run_id = task_run_id
        self.lease_expires_at: datetime | None = _time(lease_expires_at)
        self.attempt = 1
        self.validation_errors: list[str] = []
        self.artifacts: list[Artifact] = []
        self.state: Any = None
        self.last_progress: JobProgress | None = None
        self.logger = _LOGGER
        self._cancelled: str | None = None
        self._ready_input: list[object] = []  # converted, for the next run of the handler
        self._hooks: list[Callable[[], object]] = []

    @property
    def traceparent(self) -> str | None:
        """The caller's trace context (W3C Trace Context), or None when the job has none."""
        context = self._data.get("channel_context")
        value = context.get("traceparent") if isinstance(context, dict) else None
        return value if isinstance(value, str) else None

    @property
    def input(self) -> JsonObject:
        """The input of the job, the same as ``input_envelope``."""
        return self.input_envelope

    @property
    def cancelled(self) -> bool:
        """Whether the result is no longer wanted, because the lease or the time has ended.

        In a handler that runs in another process of a pool, this is always False.
        """
        return self._cancelled is not None

    def raise_if_cancelled(self) -> None:
        """Raise an exception when the result is no longer wanted.

        Raises:
            TaskCancelled: The task is cancelled, see :attr:`cancelled`.
        """
        if self._cancelled is not None:
            raise TaskCancelled(self.job_id, self._cancelled)

    def cancel(self, reason: str) -> None:
        """Cancel the task, because its result is no longer wanted.

        Args:
            reason: The reason.
        """
        self._cancelled = reason
        for hook in list(self._hooks):
            hook()

    def on_cancel(self, hook: Callable[[], object]) -> None:
        """Call a function when the task is cancelled, or at once when it already is.

        Args:
            hook: The function. It may be called on any thread and may be called twice.
        """
        self._hooks.append(hook)
        if self._cancelled is not None:
            hook()

    def attach(
        self,
        *,
        kind: str,
        artifact_uri: str,
        mime_type: str | None = None,
        size_bytes: int | None = None,
        meta: Mapping[str, object] | None = None,
    ) -> None:
        """Add an artifact to the submit.

        Args:
            kind: The kind, such as ``image``, ``video`` or ``json``.
            artifact_uri: The address of the file.
            mime_type: The MIME type, such as ``image/png``.
            size_bytes: The size in bytes.
            meta: Other data, as a JSON object.
        """
        artifact: Artifact = {"kind": kind, "artifact_uri": artifact_uri}
        if mime_type is not None:
            artifact["mime_type"] = mime_type
        if size_bytes is not None:
            artifact["size_bytes"] = size_bytes
        if meta is not None:
            artifact["meta"] = dict(meta)
        self.artifacts.append(artifact)

    def progress(self, fraction: float, message: str = "") -> None:
        """Report the progress of the job to the log, the worker's health and its metrics.

        The platform has no endpoint for progress yet, so the caller does not see it. A handler in
        another process of a pool reports it only to the log.

        Args:
            fraction: The completed part, from 0 to 1. Other numbers are limited to this range.
            message: The present activity. It is cut to 200 characters.

        Raises:
            ValueError: The fraction is NaN.
        """
        if isnan(fraction):
            raise ValueError("the progress of a job is a number from 0 to 1, not NaN")
        before = self.last_progress
        now = self.last_progress = JobProgress(
            self.job_id,
            self.capability_key,
            min(max(float(fraction), 0.0), 1.0),
            message[:_MAX_PROGRESS_CHARS],
        )
        # Log each percent only once, because a handler may report in a tight loop.
        if before is None or _shown(before) != _shown(now):
            self.log.info("progress %d %%: %s", *_shown(now))

    @property
    def log(self) -> Logger:
        """A logger whose records have ``job_id``, ``task_run_id`` and ``capability_key``."""
        return _JobLogger(self.logger, self.labels)

    @property
    def labels(self) -> dict[str, object]:
        """The ``extra`` of log records about this job."""
        return {
            "job_id": self.job_id,
            "task_run_id": self.task_run_id,
            "capability_key": self.capability_key,
        }

    def to_plain(self) -> dict[str, Any]:
        """Return the task as plain data, for another process."""
        return {
            "task_data": self._data,
            "task_run_id": self.task_run_id,
            "lease_expires_at": self.lease_expires_at,
            "attempt": self.attempt,
            "validation_errors": self.validation_errors,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> TaskContext:
        """Return a task made from the data of :meth:`to_plain`.

        Args:
            plain: The data.
        """
        task = cls(
            plain["task_data"],
            task_run_id=plain["task_run_id"],
            lease_expires_at=plain["lease_expires_at"],
        )
        task.attempt = plain["attempt"]
        task.validation_errors = plain["validation_errors"]
        return task

    def __repr__(self) -> str:
        return f"<TaskContext {self.job_id} {self.capability_key}>"


class _JobLogger(Logger):
    """Adds the labels of the job to the ``extra`` of a call, instead of replacing it."""

    def process(
        self, msg: object, kwargs: MutableMapping[str, Any]
    ) -> tuple[object, MutableMapping[str, Any]]:
        kwargs["extra"] = {**(kwargs.get("extra") or {}), **(self.extra or {})}
        return msg, kwargs


def _shown(progress: JobProgress) -> tuple[int, str]:
    return int(progress.fraction * 100), progress.message


def _whole(number: object) -> int:
    if isinstance(number, float):
        return int(number) if isfinite(number) else 0
    if isinstance(number, str) and number.isdecimal() and len(number) < 20:
        return int(number)
    return int(number) if isinstance(number, int) else 0


def _time(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value if value.tzinfo is not None else value.replace(tzinfo=timezone.utc)
    return parse_iso(value)
