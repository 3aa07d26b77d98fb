"""The module path of 0.4.0; the command line is in :mod:`chaojiyuyan_cli`."""

from chaojiyuyan_cli.main import EX_API_ERROR, EX_OK, EX_USER_ERROR, main, run
from chaojiyuyan_cli.mcp_config import (
    McpWriterError,
    remove_hebing_mcp_entry,
    write_hebing_mcp_entry,
)
from chaojiyuyan_client import NexusClient
from chaojiyuyan_core.credentials import clear_credentials, load_credentials, save_credentials
from chaojiyuyan_core.errors import HebingAPIError, HebingError, JobTimeout

EX_NOT_IMPLEMENTED = 64
"""An exit code of 0.4.0, which no command returns now."""

__all__ = [
    "EX_API_ERROR",
    "EX_NOT_IMPLEMENTED",
    "EX_OK",
    "EX_USER_ERROR",
    "HebingAPIError",
    "HebingError",
    "JobTimeout",
    "McpWriterError",
    "NexusClient",
    "clear_credentials",
    "load_credentials",
    "main",
    "remove_hebing_mcp_entry",
    "save_credentials",
    "write_hebing_mcp_entry",
]

if __name__ == "__main__":
    raise SystemExit(run())
