"""`chaojiyuyan version`: print the version."""

from __future__ import annotations

import click

from chaojiyuyan_cli import _versions
from chaojiyuyan_cli._options import Command, json_option


@click.command("version", cls=Command)
@json_option
def command(as_json: bool) -> None:
    """Print the version.

    With --json, print the versions of all installed packages of the SDK.
    """
    if as_json:
        from chaojiyuyan_cli._output import echo_json

        echo_json(_versions.list_installed())
    else:
        click.echo(_versions.describe_sdk())
