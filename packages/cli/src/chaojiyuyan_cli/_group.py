"""The root command: it loads each command when it is used, and renders the help page."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

import click

from ._options import common_options

if TYPE_CHECKING:
    from collections.abc import Iterable

    from click.shell_completion import CompletionItem

SECTIONS = {
    "Account": ("connect", "disconnect", "login", "logout", "whoami", "status", "doctor"),
    "Jobs": ("capabilities", "call", "batch", "rerun", "jobs", "events", "download"),
    "Working and serving": ("init", "worker", "mcp-server", "listen", "dev"),
    "This program": ("completion", "version"),
}
"""The names of the commands, in the order of the help page."""

COMMANDS = tuple(name for names in SECTIONS.values() for name in names)
"""The names of all commands."""

PROGRAM = "chaojiyuyan"
"""The name of the program."""

_SUMMARY = (
    "Call capabilities of the chaojiyuyan platform, run workers for them, and connect MCP clients."
)
_QUICK_START = (
    ("chaojiyuyan connect", "log in and connect your MCP clients"),
    ("chaojiyuyan capabilities", "list what you can call"),
    ("""chaojiyuyan call CAP --input '{"text": "hi"}' --wait""", "call one"),
)
_WIDTH = 100  # columns of the help page; a narrower terminal wraps its lines


class CommandLine(click.Group):
    """A group that imports a command's module only when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names of the commands in the order of the help page."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command.

        Args:
            ctx: The context of the root.
            cmd_name: The name of the command.

        Returns:
            The command, or None when there is no command of this name.
        """
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"{__package__}._commands.{cmd_name.replace('-', '_')}")
        return cast("click.Command", module.command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments name.

        Args:
            ctx: The context of the root.
            args: The arguments, beginning with the command's name.

        Raises:
            NoSuchCommand: The name is unknown. The message suggests similar names.
        """
        name = args[0]
        # During completion, click expects no error for an unknown name.
        if not name.startswith("-") and name not in COMMANDS and not ctx.resilient_parsing:
            raise click.exceptions.NoSuchCommand(name, possibilities=COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Offer the commands, but nothing after an unknown command.

        Args:
            ctx: The context of the root.
            incomplete: The text typed so far.
        """
        mistyped = [*ctx._protected_args, *ctx.args]  # click has no public name for these
        return [] if mistyped else super().shell_complete(ctx, incomplete)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help page.

        Args:
            ctx: The context of the root.
            formatter: Receives the page.
        """
        formatter.write(render_help_page(ctx))


def render_help_page(ctx: click.Context) -> str:
    """Return the help of the whole command line.

    Importing every command is slow, so :mod:`._help_page` contains a generated copy.

    Args:
        ctx: The context of the root.
    """
    formatter = click.HelpFormatter(width=_WIDTH)
    formatter.write_usage(PROGRAM, "[OPTIONS] COMMAND [ARGS]...")
    formatter.write(f"\n{_SUMMARY}\n")
    _write_section(formatter, "Quick start", _QUICK_START)
    for title, names in SECTIONS.items():
        commands = ((name, ctx.command.get_command(ctx, name)) for name in names)  # type: ignore[attr-defined]
        rows = ((name, command.get_short_help_str(_WIDTH)) for name, command in commands)
        _write_section(formatter, title, rows)
    records = (parameter.get_help_record(ctx) for parameter in ctx.command.get_params(ctx))
    rows = (record for record in records if record is not None)
    _write_section(formatter, "Options", rows)
    return formatter.getvalue().rstrip()


def _write_section(
    formatter: click.HelpFormatter, title: str, rows: Iterable[tuple[str, str]]
) -> None:
    with formatter.section(title):
        formatter.write_dl([*rows], col_max=60)


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from . import _versions

        click.echo(_versions.describe_sdk())
        ctx.exit()


cli = CommandLine(
    PROGRAM,
    help=_SUMMARY,
    params=[
        *common_options(),
        click.Option(
            ["--version"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_print_version,
            help="Print the version and exit.",
        ),
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
"""The root of the command line."""
