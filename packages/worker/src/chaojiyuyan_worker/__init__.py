"""Worker: pull, run and settle jobs of the chaojiyuyan capability platform."""

from ._observe.health import Health
from ._observe.logs import configure_logging
from ._run.execution import ExecutorBroken
from ._version import __version__
from .task import TaskContext
from .worker import NexusWorker, Worker

__all__ = [
    "ExecutorBroken",
    "Health",
    "NexusWorker",
    "TaskContext",
    "Worker",
    "__version__",
    "configure_logging",
]
