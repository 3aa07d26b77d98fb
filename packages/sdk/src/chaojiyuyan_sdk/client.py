"""The module path of 0.4.0; the names are in :mod:`chaojiyuyan_client`."""

from chaojiyuyan_client import AsyncJob, AsyncNexusClient, HebingClient, Job, NexusClient
from chaojiyuyan_core.credentials import load_credentials, save_credentials
from chaojiyuyan_core.errors import (
    DeviceFlowError,
    DeviceFlowTimeout,
    HebingAPIError,
    JobTimeout,
)
from chaojiyuyan_core.models import TERMINAL_JOB_STATUSES

from ._version import __version__ as SDK_VERSION  # noqa: N812  (its name in 0.4.0)

__all__ = [
    "SDK_VERSION",
    "TERMINAL_JOB_STATUSES",
    "AsyncJob",
    "AsyncNexusClient",
    "DeviceFlowError",
    "DeviceFlowTimeout",
    "HebingAPIError",
    "HebingClient",
    "Job",
    "JobTimeout",
    "NexusClient",
    "load_credentials",
    "save_credentials",
]
