"""`chaojiyuyan dev`: run the local kernel of chaojiyuyan-devserver."""

from __future__ import annotations

from importlib.util import find_spec

import click

from chaojiyuyan_cli._options import Command


@click.command(
    "dev",
    cls=Command,
    # The kernel's own command parses the options, also --help.
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> int:
    """Run the whole platform on this machine."""
    if find_spec("chaojiyuyan_devserver") is None:
        from chaojiyuyan_cli._errors import UserError

        raise UserError("The local kernel is not installed: pip install 'chaojiyuyan-sdk[dev]'")
    from chaojiyuyan_devserver.__main__ import main

    return main(list(arguments))
