"""Questions to the person at the terminal."""

from __future__ import annotations

import sys

import click

from ._clients.change import Dialogue
from ._output import escape


def ask(question: str) -> str:
    """Ask on standard output, and read a line.

    Args:
        question: The prompt, with a blank at its end.

    Raises:
        EOFError: Standard input has ended.
    """
    click.echo(escape(question), nl=False)
    line = sys.stdin.readline()
    if not line:
        click.echo()
        raise EOFError
    return line.strip()


def make_terminal_dialogue(*, yes: bool, dry_run: bool = False) -> Dialogue:
    """Return the dialogue that shows and asks on the terminal.

    Args:
        yes: Whether to make changes without asking.
        dry_run: Whether to make none.
    """
    return Dialogue(
        yes=yes,
        dry_run=dry_run,
        print_fn=lambda text: click.echo(escape(text.rstrip("\n"), keep="\n\t")),
        input_fn=ask,
    )
