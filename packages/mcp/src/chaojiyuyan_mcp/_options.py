"""What the owner of a server has chosen, by options and by the environment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ._tools import Tool

READ_ONLY_VARIABLE = "CHAOJIYUYAN_MCP_READ_ONLY"
TOOLSET_VARIABLE = "CHAOJIYUYAN_MCP_TOOLSET"
TOOLS_VARIABLE = "CHAOJIYUYAN_MCP_TOOLS"
ASK_ABOVE_VARIABLE = "CHAOJIYUYAN_MCP_ASK_ABOVE"
BUDGET_VARIABLE = "CHAOJIYUYAN_MCP_BUDGET"

TOOLSETS = ("caller", "worker")

_YES = ("1", "true", "yes", "on")
_NO = ("", "0", "false", "no", "off")
_AMOUNT = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True, slots=True)
class Choice:
    """What narrows the tools; each part that is given narrows them further.

    Attributes:
        read_only: Only tools that create and change nothing, whatever else is asked for.
        toolset: `caller` or `worker`; None for both.
        names: The tools to offer by name; empty for all. Capability tools are named by their
            own option.
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

        Args:
            environ: The environment.
            read_only: The option; read-only holds if either asks for it.
            toolset: The option.
            names: The option.

        Raises:
            ValueError: A variable has an invalid value.
        """
        flag = environ.get(READ_ONLY_VARIABLE, "").strip().lower()
        if flag not in _YES + _NO:
            raise ValueError(f"{READ_ONLY_VARIABLE}={flag} is neither yes nor no")
        toolset = toolset or environ.get(TOOLSET_VARIABLE, "").strip() or None
        if toolset not in (None, *TOOLSETS):
            raise ValueError(f"{TOOLSET_VARIABLE}={toolset} is not one of {', '.join(TOOLSETS)}")
        names = tuple(names) or tuple(environ.get(TOOLS_VARIABLE, "").replace(",", " ").split())
        return cls(read_only or flag in _YES, toolset, tuple(names))

    def select(self, tools: Sequence[Tool]) -> list[Tool]:
        """Return the tools that are offered, in their order.

        Args:
            tools: All of them.

        Raises:
            ValueError: A name is no tool's.
        """
        known = {tool.name for tool in tools}
        unknown = [name for name in self.names if name not in known]
        if unknown:
            raise ValueError(f"no tool {', '.join(unknown)}; there are {', '.join(sorted(known))}")
        return [
            tool
            for tool in tools
            if (tool.read_only or not self.read_only)
            and self.toolset in (None, tool.toolset)
            and (not self.names or tool.name in self.names)
        ]

    @property
    def allows_orders(self) -> bool:
        """Whether capability tools may be offered."""
        return not self.read_only and self.toolset in (None, "caller")


def read_amount(name: str, value: str) -> int:
    """Return an amount of credits.

    Args:
        name: The option or variable, for the error.
        value: What it holds.

    Raises:
        ValueError: It is not a whole number of nc, 0 or more.
    """
    if not _AMOUNT.fullmatch(value.strip()):
        raise ValueError(f"{name}={value} is not a whole number of nc, 0 or more")
    return int(value)


def choose_smaller(
    environ: Mapping[str, str], variable: str, option: str, given: str | None
) -> int | None:
    """Return the smaller of an option and its variable; None where neither is given.

    Args:
        environ: The environment.
        variable: The variable's name; a blank one counts as not given.
        option: The option's name.
        given: The option's value.

    Raises:
        ValueError: One of them is not an amount.
    """
    amounts = [] if given is None else [read_amount(option, given)]
    if value := environ.get(variable, "").strip():
        amounts.append(read_amount(variable, value))
    return min(amounts, default=None)
