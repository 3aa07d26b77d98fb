"""The chaojiyuyan SDK: client, worker, command line and MCP server in one install."""

from ._version import __version__

__all__ = ["__version__"]
