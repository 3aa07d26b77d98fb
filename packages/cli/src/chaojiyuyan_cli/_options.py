"""The options that every command takes, and the ones that many do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from ._session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., object]")

pass_session = click.make_pass_decorator(Session)
"""Hands the session to a command as its first argument."""

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object and nothing else."
)
"""``--json``, for a command that shows data; it is handed over as ``as_json``."""


def key_options(function: F) -> F:
    """Add ``--api-key``, ``--client-name`` and ``--no-browser``, for a command that logs in.

    Args:
        function: The command's function.
    """
    for option in (
        click.option(
            "--no-browser", is_flag=True, help="Do not offer to open the browser for the login."
        ),
        click.option(
            "--client-name",
            metavar="NAME",
            default="chaojiyuyan-cli",
            show_default=True,
            help="What the page that approves the login calls this program.",
        ),
        click.option(
            "--api-key",
            metavar="KEY",
            help="Use this agent key instead of logging in; - reads it from standard input.",
        ),
    ):
        function = option(function)
    return function


def common_options() -> list[click.Option]:
    """Return ``--profile``, ``--base-url`` and ``--debug``, which go to the session."""
    return [
        click.Option(
            ["--profile"],
            metavar="NAME",
            expose_value=False,
            callback=_into_session("profile"),
            help="Use this profile of the credentials file, not the environment.",
        ),
        click.Option(
            ["--base-url"],
            metavar="URL",
            expose_value=False,
            callback=_into_session("base_url"),
            help="Base URL of the API; overrides the environment and the profile.",
        ),
        click.Option(
            ["--debug"],
            is_flag=True,
            expose_value=False,
            callback=_into_session("debug"),
            help="Show requests, and the place that an error comes from.",
        ),
    ]


class Command(click.Command):
    """A command that takes the common options after its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(common_options())


def _into_session(name: str) -> Callable[[click.Context, click.Parameter, object], None]:
    def store(ctx: click.Context, _: click.Parameter, value: object) -> None:
        # The option may stand before the command's name and after it: the later one counts.
        if value:
            session = ctx.ensure_object(Session)
            setattr(session, name, value)
            if name == "debug":
                session.show_requests()

    return store
