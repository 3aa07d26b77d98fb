"""The chaojiyuyan SDK in one import: client, worker, credentials, webhooks, MCP configuration.

Every name is loaded when it is first used, so a program pays only for the parts that it needs. What
a type checker sees stands in ``__init__.pyi``.
"""

from ._version import __version__

_HOMES = {
    "chaojiyuyan_cli.mcp_config": (
        "DEFAULT_MCP_PATH McpWriterError WriteResult remove_hebing_mcp_entry write_hebing_mcp_entry"
    ),
    "chaojiyuyan_client": "AsyncJob AsyncNexusClient HebingClient Job NexusClient",
    "chaojiyuyan_core.credentials": (
        "CREDENTIALS_PATH clear_credentials load_credentials save_credentials"
    ),
    "chaojiyuyan_core.errors": (
        "AuthenticationError BadRequestError BidRejected CapabilityNotRegistered "
        "ConflictError CredentialsError DeviceFlowError DeviceFlowTimeout DownloadError "
        "HebingAPIError HebingError JobFailed JobTimeout LeaseExpired NonRetryableError "
        "NotFoundError PermissionDeniedError RateLimitError ResponseFormatError ServerError "
        "SubmitValidationFailed TaskCancelled TaskRunNotFound UnprocessableError "
        "WebhookVerificationError WorkerError WorkerNotEnabled"
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

__all__ = ["__version__", *_HOME_OF]  # noqa: PLE0604  (ruff sees no strings in it)


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
