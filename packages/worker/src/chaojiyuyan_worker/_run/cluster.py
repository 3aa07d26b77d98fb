"""Run handlers on a Dask cluster, with their log lines, errors and cancellation.

Log lines come back through a Dask event topic. A cancellation is a Dask event for which the node
waits while the handler runs.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from chaojiyuyan_core.errors import NonRetryableError
from chaojiyuyan_worker._observe.logger import get_logger
from chaojiyuyan_worker.task import TASK_LOGGER, TaskContext

from .calling import call_handler
from .lifespan import ProcessState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Executor, Future

    from chaojiyuyan_core.models import Artifact

log = get_logger(__name__)

WATCH_SECONDS = 10.0
"""Seconds after which a node checks again whether a handler is cancelled."""

MAX_LINE_CHARS = 10_000
"""Maximum characters of a log line or a traceback from a node."""


class RemoteError(Exception):
    """The text of an error on a node that cannot be pickled."""


class _RemoteTraceback(Exception):
    """The traceback of the node, as the cause of the error."""


class Call(NamedTuple):
    """The names for the communication about one run of a handler.

    Attributes:
        topic: The Dask topic of the log lines.
        name: The Dask event that is set when the result is no longer wanted.
        level: The minimum level of the log lines.
    """

    topic: str
    name: str
    level: int


class Result(NamedTuple):
    """The result of a run of a handler on a node.

    Attributes:
        output: The output.
        artifacts: The attached artifacts.
        error: The pickled exception, or None when there is none or it cannot be pickled.
        text: The exception as text; empty when there is none.
        trace: The traceback of the node.
        is_final: Whether a retry is useless.
    """

    output: object = None
    artifacts: list[Artifact] | None = None
    error: bytes | None = None
    text: str = ""
    trace: str = ""
    is_final: bool = False


def find_client(executor: Executor) -> Any:
    """Return the Dask client of an executor, or None for another kind of executor.

    Args:
        executor: The executor.
    """
    module = sys.modules.get("distributed.cfexecutor")
    if module is None or not isinstance(executor, module.ClientExecutor):
        return None
    return executor._client


class Cluster:
    """The connection of this process to a cluster.

    Args:
        client: The Dask client.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._topic = f"chaojiyuyan-{uuid.uuid4().hex}"
        client.subscribe_topic(self._topic, _log_line)

    def run(
        self,
        submit: Callable[..., Future[Any]],
        function: Callable[[TaskContext], object],
        task: TaskContext,
        wait: Callable[[Future[Any]], Any],
    ) -> object:
        """Run a handler on the cluster and return its output.

        Args:
            submit: Submits a function to the cluster.
            function: The handler.
            task: The task of the handler.
            wait: Waits for a future.

        Raises:
            BaseException: The exception of the handler.
        """
        level = logging.getLogger(TASK_LOGGER).getEffectiveLevel()
        # The name is unique for each run, because Dask runs equal calls only once.
        call = Call(self._topic, f"{self._topic}-{uuid.uuid4().hex}", level)
        future = submit(run_on_node, function, task.to_plain(), call)
        # By an event, because cancelling the future does not stop the function on the node.
        task.on_cancel(lambda: self._tell("event_set", call.name))
        try:
            result: Result = wait(future)
        finally:
            # Ends the wait of the node, then removes the event.
            self._tell("event_set", call.name)
            self._tell("event_clear", call.name)
        if result.text:
            raise _error_of(result) from _RemoteTraceback(f"\n{result.trace}")
        task.artifacts = result.artifacts or []
        return result.output

    def close(self) -> None:
        """Stop receiving log lines. The client stays open, because the author owns it."""
        with suppress(Exception):
            self._client.unsubscribe_topic(self._topic)

    def _tell(self, operation: str, name: str) -> None:
        """Call the scheduler without waiting, because a lease thread may call this."""
        call = getattr(self._client.scheduler, operation)
        self._client.loop.add_callback(call, name=name)


def run_on_node(
    function: Callable[[TaskContext], object], data: Mapping[str, Any], call: Call
) -> Result:
    """Run a handler on a node of the cluster.

    Args:
        function: The handler.
        data: The task, from :meth:`TaskContext.to_plain`.
        call: The names for the communication with the worker's process.
    """
    node = _dask("distributed").get_worker()
    task = TaskContext.from_plain(data)
    task.state = ProcessState.value
    task.logger = logging.Logger(TASK_LOGGER, call.level)  # noqa: LOG001 - not the node's own
    task.logger.addHandler(_Sender(node, call.topic))
    is_done = [False]
    node.loop.add_callback(_watch, node, call.name, task, is_done)
    try:
        return Result(call_handler(function, task), task.artifacts)
    except BaseException as error:  # noqa: BLE001 - SystemExit would end the node
        return _pack(error)
    finally:
        is_done[0] = True


async def _watch(node: Any, name: str, task: TaskContext, is_done: list[bool]) -> None:
    """Wait for the event of the task while its handler runs, and then cancel the task."""
    while not is_done[0]:
        if await node.scheduler.event_wait(name=name, timeout=WATCH_SECONDS):
            if not is_done[0]:
                task.cancel("its lease was lost")
            return


class _Sender(logging.Handler):
    """Sends log records to the worker's process."""

    def __init__(self, node: Any, topic: str) -> None:
        super().__init__()
        self._node, self._topic = node, topic

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record as JSON. Values that JSON does not have are sent as text."""
        try:
            fields = {**vars(record), "msg": record.getMessage()[:MAX_LINE_CHARS], "args": None}
            if record.exc_info:
                text = logging.Formatter().formatException(record.exc_info)
                fields |= {"exc_info": None, "exc_text": text[-MAX_LINE_CHARS:]}
            self._node.log_event(self._topic, json.dumps(fields, default=str, skipkeys=True))
        except Exception:  # noqa: BLE001 - as in other log handlers
            self.handleError(record)


def _dask(module: str) -> Any:
    """Return a module of Dask. It is already imported, and Dask is not a dependency."""
    return sys.modules[module]


def _log_line(event: tuple[float, str]) -> None:
    """Pass a record of a node on to the logger of the tasks."""
    try:
        record = logging.makeLogRecord(json.loads(event[1]))
        logger = logging.getLogger(TASK_LOGGER)
        if logger.isEnabledFor(record.levelno):
            logger.handle(record)
    except Exception:
        log.exception("a log line of the cluster is malformed")


def _pack(error: BaseException) -> Result:
    pickle = _dask("distributed.protocol.pickle")
    text = f"{type(error).__name__}: {error}"[:MAX_LINE_CHARS]
    trace = "".join(traceback.format_exception(error))[-MAX_LINE_CHARS:]
    data: bytes | None
    try:
        data = pickle.dumps(error)
        pickle.loads(data)
    except Exception:  # noqa: BLE001 - the code of the exception may raise anything
        data = None
    return Result(None, None, data, text, trace, isinstance(error, NonRetryableError))


def _error_of(result: Result) -> BaseException:
    if result.error is not None:
        pickle = _dask("distributed.protocol.pickle")
        with suppress(Exception):
            error = pickle.loads(result.error)
            if isinstance(error, BaseException):
                return error
    return NonRetryableError(result.text) if result.is_final else RemoteError(result.text)
