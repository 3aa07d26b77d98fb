"""The module path of 0.4.0; the names live in :mod:`chaojiyuyan_client`."""

from chaojiyuyan_client import AsyncJob, AsyncNexusClient, HebingClient, Job, NexusClient
from chaojiyuyan_core.models import TERMINAL_JOB_STATUSES

__all__ = [
    "TERMINAL_JOB_STATUSES",
    "AsyncJob",
    "AsyncNexusClient",
    "HebingClient",
    "Job",
    "NexusClient",
]
