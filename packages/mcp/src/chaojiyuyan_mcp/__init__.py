"""An MCP server for the chaojiyuyan capability platform.

:func:`main` is the command ``chaojiyuyan-mcp``. Nothing else in this package is a public API.
"""

from ._command import main
from ._version import __version__

__all__ = ["__version__", "main"]
