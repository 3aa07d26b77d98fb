"""`chaojiyuyan version`."""

from __future__ import annotations

import click

from chaojiyuyan_cli import versions
from chaojiyuyan_cli.options import Command, json_option


@click.command("version", cls=Command)
@json_option
def command(as_json: bool) -> None:
    """Print the version.

    With --json, those of all parts of the SDK that are installed.
    """
    if as_json:
        from chaojiyuyan_cli.output import echo_json

        echo_json(versions.installed())
    else:
        click.echo(versions.current())
