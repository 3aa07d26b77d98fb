"""NexusClient: post jobs to the chaojiyuyan capability platform and get their output.

The names are loaded when they are first used; httpx is loaded with the first client.
"""

from typing import TYPE_CHECKING

from ._version import __version__

if TYPE_CHECKING:
    from .async_client import AsyncNexusClient
    from .budget import Budget
    from .client import HebingClient, NexusClient
    from .job import AsyncJob, Job

__all__ = [
    "AsyncJob",
    "AsyncNexusClient",
    "Budget",
    "HebingClient",
    "Job",
    "NexusClient",
    "__version__",
]

_HOMES = {
    "AsyncJob": "job",
    "AsyncNexusClient": "async_client",
    "Budget": "budget",
    "HebingClient": "client",
    "Job": "job",
    "NexusClient": "client",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
