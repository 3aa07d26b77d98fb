"""Read the choices of the server's owner from the options and the environment."""

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
    """The filters on the offered tools. A tool must pass all of them.

    Attributes:
        read_only: Whether to offer only tools that create and change nothing.
        toolset: `caller` or `worker`, or None for both.
        names: The names of the tools to offer; empty for all. Capability tools have their own
            option.
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
        """Read the options, and the environment for options that are not given.

        Args:
            environ: The environment.
            read_only: The option `--read-only`. The option or the variable is enough.
            toolset: The value of `--toolset`, or None.
            names: The values of `--tool`.

        Raises:
            ValueError: A variable has an invalid value.
        """
        flag = environ.get(READ_ONLY_VARIABLE, "").strip().lower()
        if flag not in _YES + _NO:
            raise ValueError(f"{READ_ONLY_VARIABLE}={flag} is invalid. Use 1 or 0")
        toolset = toolset or environ.get(TOOLSET_VARIABLE, "").strip() or None
        if toolset not in (None, *TOOLSETS):
            raise ValueError(f"{TOOLSET_VARIABLE}={toolset} is not one of {', '.join(TOOLSETS)}")
        names = tuple(names) or tuple(environ.get(TOOLS_VARIABLE, "").replace(",", " ").split())
        return cls(read_only or flag in _YES, toolset, tuple(names))

    def select(self, tools: Sequence[Tool]) -> list[Tool]:
        """Return the offered tools, in their order.

        Args:
            tools: All tools.

        Raises:
            ValueError: A name is not the name of a tool.
        """
        known = {tool.name for tool in tools}
        unknown = [name for name in self.names if name not in known]
        if unknown:
            raise ValueError(
                f"unknown tool {', '.join(unknown)}; choose from {', '.join(sorted(known))}"
            )
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
        name: The name of the option or variable, for the error.
        value: The value of the option or variable.

    Returns:
        The amount in nc.

    Raises:
        ValueError: The value is not a whole number of nc, 0 or more.
    """
    if not _AMOUNT.fullmatch(value.strip()):
        raise ValueError(f"{name}={value} is not a whole number of nc, 0 or more")
    return int(value)


def choose_smaller(
    environ: Mapping[str, str], variable: str, option: str, given: str | None
) -> int | None:
    """Return the smaller of an option and its variable, or None when neither is given.

    Args:
        environ: The environment.
        variable: The name of the variable. A blank value counts as not given.
        option: The name of the option.
        given: The value of the option, or None.

    Returns:
        An amount in nc, or None.

    Raises:
        ValueError: A value is not a whole number of nc, 0 or more.
    """
    amounts = [] if given is None else [read_amount(option, given)]
    if value := environ.get(variable, "").strip():
        amounts.append(read_amount(variable, value))
    return min(amounts, default=None)
