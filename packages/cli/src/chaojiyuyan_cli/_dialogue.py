"""Ask the user questions on the terminal."""

from __future__ import annotations

import sys

import click

from ._clients.change import Dialogue
from ._output import escape


def ask(question: str) -> str:
    """Write a question to standard output, and read a line from standard input.

    Args:
        question: The prompt, with a space at its end.

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
    """Return a dialogue that uses the terminal.

    Args:
        yes: Whether to apply changes without asking.
        dry_run: Whether to show changes without applying them.
    """
    return Dialogue(
        yes=yes,
        dry_run=dry_run,
        print_fn=lambda text: click.echo(escape(text.rstrip("\n"), keep="\n\t")),
        input_fn=ask,
    )
