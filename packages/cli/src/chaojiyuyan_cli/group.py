"""The `chaojiyuyan` command's commands; each is loaded when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import cast

import click

from . import overview
from .options import common_options


class CommandLine(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, _: click.Context) -> list[str]:
        return list(overview.COMMANDS)

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in overview.COMMANDS:
            return None
        module = import_module(f"{__package__}.commands.{cmd_name.replace('-', '_')}")
        return cast("click.Command", module.command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and name not in overview.COMMANDS:
            raise click.exceptions.NoSuchCommand(name, possibilities=overview.COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_help(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(overview.page())


cli = CommandLine(
    "chaojiyuyan",
    help=overview.SUMMARY,
    params=list(common_options()),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
