"""NexusClient: order jobs on the chaojiyuyan capability platform and get their output.

Names are imported on first use. httpx is imported with the first client.
"""

from typing import TYPE_CHECKING

from ._version import __version__

if TYPE_CHECKING:
    from chaojiyuyan_core.errors import (
        AuthenticationError,
        BadRequestError,
        BudgetExceeded,
        ConflictError,
        CredentialsError,
        DeviceFlowError,
        DeviceFlowTimeout,
        DownloadError,
        HebingAPIError,
        HebingError,
        InputInvalid,
        JobFailed,
        JobTimeout,
        NotFoundError,
        PermissionDeniedError,
        PriceTooHigh,
        RateLimitError,
        ResponseFormatError,
        ServerError,
        UnprocessableError,
    )

    from .async_client import AsyncNexusClient
    from .budget import Budget
    from .client import HebingClient, NexusClient
    from .job import AsyncJob, Job
    from .map import MapResult
    from .tools import Tool, tool_name

__all__ = [
    "AsyncJob",
    "AsyncNexusClient",
    "AuthenticationError",
    "BadRequestError",
    "Budget",
    "BudgetExceeded",
    "ConflictError",
    "CredentialsError",
    "DeviceFlowError",
    "DeviceFlowTimeout",
    "DownloadError",
    "HebingAPIError",
    "HebingClient",
    "HebingError",
    "InputInvalid",
    "Job",
    "JobFailed",
    "JobTimeout",
    "MapResult",
    "NexusClient",
    "NotFoundError",
    "PermissionDeniedError",
    "PriceTooHigh",
    "RateLimitError",
    "ResponseFormatError",
    "ServerError",
    "Tool",
    "UnprocessableError",
    "__version__",
    "tool_name",
]

_HOMES = {
    "chaojiyuyan_core.errors": (
        "AuthenticationError BadRequestError BudgetExceeded ConflictError CredentialsError "
        "DeviceFlowError DeviceFlowTimeout DownloadError HebingAPIError HebingError "
        "InputInvalid JobFailed JobTimeout NotFoundError PermissionDeniedError PriceTooHigh "
        "RateLimitError ResponseFormatError ServerError UnprocessableError"
    ),
    ".async_client": "AsyncNexusClient",
    ".budget": "Budget",
    ".client": "HebingClient NexusClient",
    ".job": "AsyncJob Job",
    ".map": "MapResult",
    ".tools": "Tool tool_name",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(home, __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
