"""The `chaojiyuyan` command's commands; each is loaded when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import cast

import click

from .options import common_options

SECTIONS = {
    "Account": ("connect", "disconnect", "login", "logout", "whoami", "status", "doctor"),
    "Jobs": ("capabilities", "call", "jobs", "events"),
    "Working and serving": ("worker", "mcp-server", "dev"),
    "This program": ("completion", "version"),
}
"""The commands as the help groups them; ``mcp-server`` is ``commands/mcp_server.py``."""

_NAMES = tuple(name for names in SECTIONS.values() for name in names)

_QUICK_START = """\
Quick start:
  chaojiyuyan connect                         log in, and wire up your MCP clients
  chaojiyuyan capabilities                    what you can call
  chaojiyuyan call CAP --input '{"text": "hi"}' --wait
"""


class CommandLine(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, _: click.Context) -> list[str]:
        return list(_NAMES)

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _NAMES:
            return None
        module = import_module(f"{__package__}.commands.{cmd_name.replace('-', '_')}")
        return cast("click.Command", module.command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            raise click.exceptions.NoSuchCommand(name, possibilities=_NAMES, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, _NAMES))
        for title, names in SECTIONS.items():
            rows = []
            for name in names:
                command = self.get_command(ctx, name)
                if command is not None:
                    help_text = command.get_short_help_str(formatter.width - width - 6)
                    rows.append((name.ljust(width), help_text))
            with formatter.section(title):
                formatter.write_dl(rows)

    def format_epilog(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(f"\n{_QUICK_START}")


cli = CommandLine(
    "chaojiyuyan",
    help="Call capabilities of the chaojiyuyan platform, work for it, and hand it to MCP clients.",
    params=list(common_options()),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
