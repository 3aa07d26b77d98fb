"""The chaojiyuyan SDK in one import: client, worker, credentials, webhooks, MCP configuration.

Every name is loaded when it is first used, so a program pays only for the parts that it needs.
"""

from ._version import __version__

# Type checkers treat this as true, and tools that bundle programs follow the imports below it.
# The constant in `typing` would require importing that module.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from chaojiyuyan_cli.mcp_config import (
        DEFAULT_MCP_PATH,
        McpWriterError,
        WriteResult,
        remove_hebing_mcp_entry,
        write_hebing_mcp_entry,
    )
    from chaojiyuyan_client import (
        AsyncJob,
        AsyncNexusClient,
        Budget,
        HebingClient,
        Job,
        MapResult,
        NexusClient,
        Tool,
        tool_name,
    )
    from chaojiyuyan_core.credentials import (
        CREDENTIALS_PATH,
        clear_credentials,
        load_credentials,
        save_credentials,
    )
    from chaojiyuyan_core.errors import (
        AuthenticationError,
        BadRequestError,
        BidRejected,
        BudgetExceeded,
        CapabilityNotRegistered,
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
        LeaseExpired,
        NonRetryableError,
        NotFoundError,
        PermissionDeniedError,
        PriceTooHigh,
        RateLimitError,
        ResponseFormatError,
        ServerError,
        SubmitValidationFailed,
        TaskCancelled,
        TaskRunNotFound,
        UnprocessableError,
        WebhookVerificationError,
        WorkerError,
        WorkerNotEnabled,
    )
    from chaojiyuyan_core.models import TERMINAL_JOB_STATUSES
    from chaojiyuyan_core.webhooks import sign_webhook, unwrap_webhook, verify_webhook_signature
    from chaojiyuyan_worker import NexusWorker, TaskContext, Worker

    from . import (
        cli as cli,
        client as client,
        credentials as credentials,
        errors as errors,
        mcp_server as mcp_server,
        mcp_writer as mcp_writer,
        schemas as schemas,
        webhook as webhook,
        worker as worker,
    )

__all__ = [
    "CREDENTIALS_PATH",
    "DEFAULT_MCP_PATH",
    "TERMINAL_JOB_STATUSES",
    "AsyncJob",
    "AsyncNexusClient",
    "AuthenticationError",
    "BadRequestError",
    "BidRejected",
    "Budget",
    "BudgetExceeded",
    "CapabilityNotRegistered",
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
    "LeaseExpired",
    "MapResult",
    "McpWriterError",
    "NexusClient",
    "NexusWorker",
    "NonRetryableError",
    "NotFoundError",
    "PermissionDeniedError",
    "PriceTooHigh",
    "RateLimitError",
    "ResponseFormatError",
    "ServerError",
    "SubmitValidationFailed",
    "TaskCancelled",
    "TaskContext",
    "TaskRunNotFound",
    "Tool",
    "UnprocessableError",
    "WebhookVerificationError",
    "Worker",
    "WorkerError",
    "WorkerNotEnabled",
    "WriteResult",
    "__version__",
    "clear_credentials",
    "load_credentials",
    "remove_hebing_mcp_entry",
    "save_credentials",
    "sign_webhook",
    "tool_name",
    "unwrap_webhook",
    "verify_webhook_signature",
    "write_hebing_mcp_entry",
]

_HOMES = {
    "chaojiyuyan_cli.mcp_config": (
        "DEFAULT_MCP_PATH McpWriterError WriteResult remove_hebing_mcp_entry write_hebing_mcp_entry"
    ),
    "chaojiyuyan_client": (
        "AsyncJob AsyncNexusClient Budget HebingClient Job MapResult NexusClient Tool tool_name"
    ),
    "chaojiyuyan_core.credentials": (
        "CREDENTIALS_PATH clear_credentials load_credentials save_credentials"
    ),
    "chaojiyuyan_core.errors": (
        "AuthenticationError BadRequestError BidRejected BudgetExceeded "
        "CapabilityNotRegistered ConflictError CredentialsError DeviceFlowError "
        "DeviceFlowTimeout DownloadError HebingAPIError HebingError InputInvalid JobFailed "
        "JobTimeout LeaseExpired NonRetryableError NotFoundError PermissionDeniedError "
        "PriceTooHigh RateLimitError ResponseFormatError ServerError SubmitValidationFailed "
        "TaskCancelled TaskRunNotFound UnprocessableError WebhookVerificationError WorkerError "
        "WorkerNotEnabled"
    ),
    "chaojiyuyan_core.models": "TERMINAL_JOB_STATUSES",
    "chaojiyuyan_core.webhooks": "sign_webhook unwrap_webhook verify_webhook_signature",
    "chaojiyuyan_worker": "NexusWorker TaskContext Worker",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}
_MODULES = (
    *("cli", "client", "credentials", "errors", "mcp_server"),
    *("mcp_writer", "schemas", "webhook", "worker"),
)


def __getattr__(name: str) -> object:
    import importlib

    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})
