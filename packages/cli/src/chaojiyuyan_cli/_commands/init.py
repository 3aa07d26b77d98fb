"""`chaojiyuyan init`: write a small project to start with."""

from __future__ import annotations

from pathlib import Path

import click

from chaojiyuyan_cli._options import Command, CommandGroup


@click.group("init", cls=CommandGroup)
def command() -> None:
    """Write a small project to start with."""


@command.command("worker", cls=Command)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def init_worker(folder: Path) -> None:
    """Write a worker project into DIR, which must be empty or new.

    The project has a typed handler, a test with the local kernel, a Dockerfile and a README.
    Writing it needs no network.
    """
    from chaojiyuyan_cli._output import escape
    from chaojiyuyan_cli._project import write_project

    for path in write_project("worker", folder):
        click.echo(f"wrote {escape(str(path))}")
    click.echo(f"\nNext: read {escape(str(folder / 'README.md'))}")
