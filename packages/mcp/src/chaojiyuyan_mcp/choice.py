"""Which tools a server offers: all of them, or fewer by its options or by the environment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .tools import Tool

READ_ONLY_VARIABLE = "CHAOJIYUYAN_MCP_READ_ONLY"
TOOLSET_VARIABLE = "CHAOJIYUYAN_MCP_TOOLSET"
TOOLS_VARIABLE = "CHAOJIYUYAN_MCP_TOOLS"

TOOLSETS = ("caller", "worker")

_YES = ("1", "true", "yes", "on")
_NO = ("", "0", "false", "no", "off")


@dataclass(frozen=True, slots=True)
class Choice:
    """What narrows the tools; each part that is given narrows them further.

    :param read_only: only tools that create and change nothing, whatever else is asked for.
    :param toolset: ``caller`` or ``worker``; None for both.
    :param names: the tools to offer by name; empty for all.
    """

    read_only: bool = False
    toolset: str | None = None
    names: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        environ: Mapping[str, str],
        *,
        read_only: bool = False,
        toolset: str | None = None,
        names: Sequence[str] = (),
    ) -> Choice:
        """Take the options, and the environment for those that are not given.

        Read-only holds if either asks for it: an option cannot undo it.

        :raises ValueError: a variable holds what it cannot mean.
        """
        flag = environ.get(READ_ONLY_VARIABLE, "").strip().lower()
        if flag not in _YES + _NO:
            raise ValueError(f"{READ_ONLY_VARIABLE}={flag} is neither yes nor no")
        toolset = toolset or environ.get(TOOLSET_VARIABLE, "").strip() or None
        if toolset not in (None, *TOOLSETS):
            raise ValueError(f"{TOOLSET_VARIABLE}={toolset} is none of {', '.join(TOOLSETS)}")
        names = tuple(names) or tuple(environ.get(TOOLS_VARIABLE, "").replace(",", " ").split())
        return cls(read_only or flag in _YES, toolset, tuple(names))

    def among(self, tools: Sequence[Tool]) -> list[Tool]:
        """Return the tools that are offered, in their order.

        :raises ValueError: a name is no tool's, or nothing is left.
        """
        known = {tool.name for tool in tools}
        unknown = [name for name in self.names if name not in known]
        if unknown:
            raise ValueError(f"no tool {', '.join(unknown)}; there are {', '.join(sorted(known))}")
        chosen = [
            tool
            for tool in tools
            if (tool.read_only or not self.read_only)
            and self.toolset in (None, tool.toolset)
            and (not self.names or tool.name in self.names)
        ]
        if not chosen:
            raise ValueError("these choices leave no tool to offer")
        return chosen
