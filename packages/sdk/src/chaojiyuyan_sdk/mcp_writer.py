"""The module path of 0.4.0; the names are in :mod:`chaojiyuyan_cli.mcp_config`."""

from chaojiyuyan_cli.mcp_config import (
    DEFAULT_ARGS,
    DEFAULT_COMMAND,
    DEFAULT_MCP_PATH,
    DEFAULT_SERVER_KEY,
    McpWriterError,
    WriteResult,
    remove_hebing_mcp_entry,
    write_hebing_mcp_entry,
)

__all__ = [
    "DEFAULT_ARGS",
    "DEFAULT_COMMAND",
    "DEFAULT_MCP_PATH",
    "DEFAULT_SERVER_KEY",
    "McpWriterError",
    "WriteResult",
    "remove_hebing_mcp_entry",
    "write_hebing_mcp_entry",
]
