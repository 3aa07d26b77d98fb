"""A stdio MCP server for the chaojiyuyan capability platform."""

from ._version import __version__

__all__ = ["__version__"]
