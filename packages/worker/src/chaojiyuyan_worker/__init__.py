"""Worker: pull, run and settle jobs of the chaojiyuyan capability platform."""

from ._version import __version__
from .execution import ExecutorBroken
from .task import TaskContext
from .worker import NexusWorker, Worker

__all__ = ["ExecutorBroken", "NexusWorker", "TaskContext", "Worker", "__version__"]
