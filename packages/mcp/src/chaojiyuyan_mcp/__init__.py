"""An MCP server for the chaojiyuyan capability platform.

:func:`main` is the command ``chaojiyuyan-mcp``; nothing else of this package is promised.
"""

from ._command import main
from ._version import __version__

__all__ = ["__version__", "main"]
