"""The tools, in the order of the list."""

from __future__ import annotations

from .caller import TOOLS as CALLER_TOOLS
from .tool import Tool
from .worker import TOOLS as WORKER_TOOLS

__all__ = ["TOOLS", "Tool"]

TOOLS: tuple[Tool, ...] = (*CALLER_TOOLS, *WORKER_TOOLS)
