"""Worker: get, run and settle jobs of the chaojiyuyan capability platform."""

from chaojiyuyan_core.errors import (
    BidRejected,
    CapabilityNotRegistered,
    InvalidInput,
    LeaseExpired,
    NonRetryableError,
    SubmitValidationFailed,
    TaskCancelled,
    TaskRunNotFound,
    WorkerError,
    WorkerNotEnabled,
)

from ._observe.health import Health, JobProgress
from ._observe.logs import configure_logging
from ._process_pools import lifespan_initializer
from ._run.execution import ExecutorBroken
from ._version import __version__
from .task import TaskContext
from .worker import NexusWorker, Worker

__all__ = [
    "BidRejected",
    "CapabilityNotRegistered",
    "ExecutorBroken",
    "Health",
    "InvalidInput",
    "JobProgress",
    "LeaseExpired",
    "NexusWorker",
    "NonRetryableError",
    "SubmitValidationFailed",
    "TaskCancelled",
    "TaskContext",
    "TaskRunNotFound",
    "Worker",
    "WorkerError",
    "WorkerNotEnabled",
    "__version__",
    "configure_logging",
    "lifespan_initializer",
]
