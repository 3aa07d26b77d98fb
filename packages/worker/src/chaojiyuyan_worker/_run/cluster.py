"""Handlers on a Dask cluster: their log lines, errors and cancellation cross it.

Log lines come by an event topic of Dask. A cancellation goes by a Dask event, for which the node
waits while the handler runs. Both belong to one run of one handler.
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
"""Seconds after which a node asks again whether a handler is cancelled."""

MAX_LINE_CHARS = 10_000
"""Maximum length of a log line or a traceback that crosses the cluster, in characters."""


class RemoteError(Exception):
    """An error of a handler on another machine that cannot be pickled, as text."""


class _RemoteTraceback(Exception):
    """The traceback of the other machine, as the cause of the error."""


class Call(NamedTuple):
    """How a node and this process speak about one run of a handler.

    Attributes:
        topic: Where its log lines go.
        name: The event that is set when its result is not wanted any more.
        level: The least level of the log lines that are wanted.
    """

    topic: str
    name: str
    level: int


class Result(NamedTuple):
    """What a run of a handler brought.

    Attributes:
        output: What it returned.
        artifacts: What it attached.
        error: Its pickled exception; None where there is none, or where it cannot be pickled.
        text: Its exception as text; empty where there is none.
        trace: The traceback of the node.
        is_final: Whether a retry cannot help.
    """

    output: object = None
    artifacts: list[Artifact] | None = None
    error: bytes | None = None
    text: str = ""
    trace: str = ""
    is_final: bool = False


def find_client(executor: Executor) -> Any:
    """Return the Dask client behind an executor; None for an executor of another kind.

    Args:
        executor: The executor.
    """
    module = sys.modules.get("distributed.cfexecutor")
    if module is None or not isinstance(executor, module.ClientExecutor):
        return None
    return executor._client


class Cluster:
    """This process's side of a cluster.

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
            submit: Has the cluster call a function.
            function: The handler.
            task: Its task.
            wait: Waits for a future.

        Raises:
            BaseException: Whatever the handler raises.
        """
        level = logging.getLogger(TASK_LOGGER).getEffectiveLevel()
        # The name also tells this run from every other, since Dask runs equal calls once.
        call = Call(self._topic, f"{self._topic}-{uuid.uuid4().hex}", level)
        future = submit(run_on_node, function, task.to_plain(), call)
        # The node's function runs on when its future is cancelled, so it is asked to end instead.
        task.on_cancel(lambda: self._tell("event_set", call.name))
        try:
            result: Result = wait(future)
        finally:
            # Releases the node, then removes the event.
            self._tell("event_set", call.name)
            self._tell("event_clear", call.name)
        if result.text:
            raise _error_of(result) from _RemoteTraceback(f"\n{result.trace}")
        task.artifacts = result.artifacts or []
        return result.output

    def close(self) -> None:
        """Receive no more log lines; the client is not ours to close."""
        with suppress(Exception):
            self._client.unsubscribe_topic(self._topic)

    def _tell(self, operation: str, name: str) -> None:
        """Call the scheduler without waiting: a lost lease is told on a thread of the leases."""
        call = getattr(self._client.scheduler, operation)
        self._client.loop.add_callback(call, name=name)


def run_on_node(
    function: Callable[[TaskContext], object], data: Mapping[str, Any], call: Call
) -> Result:
    """Run a handler on a node of the cluster.

    Args:
        function: The handler.
        data: The task, from :meth:`TaskContext.to_plain`.
        call: How the worker's process is spoken to.
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
    """Cancel the task when its event is set, until its handler is done."""
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
        """Send a record as JSON, with what JSON cannot carry as text."""
        try:
            fields = {**vars(record), "msg": record.getMessage()[:MAX_LINE_CHARS], "args": None}
            if record.exc_info:
                text = logging.Formatter().formatException(record.exc_info)
                fields |= {"exc_info": None, "exc_text": text[-MAX_LINE_CHARS:]}
            self._node.log_event(self._topic, json.dumps(fields, default=str, skipkeys=True))
        except Exception:  # noqa: BLE001 - as every handler of logging does
            self.handleError(record)


def _dask(module: str) -> Any:
    """Return a module of Dask, which is loaded wherever there is a cluster; we declare none."""
    return sys.modules[module]


def _log_line(event: tuple[float, str]) -> None:
    """Hand a record of a node to the logger of the tasks here."""
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
    except Exception:  # noqa: BLE001 - whatever its own code raises
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
