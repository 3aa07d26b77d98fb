"""`chaojiyuyan version`."""

from __future__ import annotations

import click

from chaojiyuyan_cli.options import Command, json_option

_DISTRIBUTIONS = ("sdk", "core", "client", "worker", "cli", "mcp", "devserver")


@click.command(cls=Command)
@json_option
def command(as_json: bool) -> None:
    """Print the version.

    With --json, those of all parts of the SDK that are installed.
    """
    from importlib import import_module
    from importlib.util import find_spec

    # Each has its version as a constant: asking importlib.metadata costs more than the whole rest.
    modules = {f"chaojiyuyan-{name}": f"chaojiyuyan_{name}" for name in _DISTRIBUTIONS}
    if as_json:
        from chaojiyuyan_cli.output import echo_json

        installed = {
            name: import_module(f"{module}._version").__version__
            for name, module in modules.items()
            if find_spec(module)
        }
        echo_json(installed)
        return
    name = next(name for name in ("chaojiyuyan-sdk", "chaojiyuyan-cli") if find_spec(modules[name]))
    click.echo(f"{name} {import_module(f'{modules[name]}._version').__version__}")
