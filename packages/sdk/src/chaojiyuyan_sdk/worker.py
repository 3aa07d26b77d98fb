"""The module path of 0.4.0; the names are in :mod:`chaojiyuyan_worker`."""

from chaojiyuyan_core.credentials import load_credentials
from chaojiyuyan_core.errors import (
    BidRejected,
    CapabilityNotRegistered,
    HebingAPIError,
    LeaseExpired,
    SubmitValidationFailed,
    TaskRunNotFound,
    WorkerNotEnabled,
)
from chaojiyuyan_core.models import TERMINAL_JOB_STATUSES
from chaojiyuyan_worker import NexusWorker, TaskContext, Worker

from ._version import __version__ as SDK_VERSION  # noqa: N812  (its name in 0.4.0)

__all__ = [
    "SDK_VERSION",
    "TERMINAL_JOB_STATUSES",
    "BidRejected",
    "CapabilityNotRegistered",
    "HebingAPIError",
    "LeaseExpired",
    "NexusWorker",
    "SubmitValidationFailed",
    "TaskContext",
    "TaskRunNotFound",
    "Worker",
    "WorkerNotEnabled",
    "load_credentials",
]
