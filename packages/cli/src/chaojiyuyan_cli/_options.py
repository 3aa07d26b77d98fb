"""The options that every command takes, and the ones that many do."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from ._session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

pass_session = click.make_pass_decorator(Session)
"""Hands the session to a command as its first argument."""

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object and nothing else."
)
"""``--json``, for a command that shows data; it is handed over as ``as_json``."""


def login_options(function: Callable[..., object]) -> Callable[..., object]:
    """Add the options of a login; the function gets them as ``login``, a ``LoginOptions``.

    Args:
        function: The function of a command.
    """

    @wraps(function)
    def collect(
        *args: object,
        api_key: str | None,
        client_name: str,
        no_browser: bool,
        no_verify: bool,
        **others: object,
    ) -> object:
        from ._login import LoginOptions

        login = LoginOptions(api_key, client_name, browser=not no_browser, verify=not no_verify)
        return function(*args, login=login, **others)

    for option in (
        click.option(
            "--no-verify", is_flag=True, help="Do not check a given key before saving it."
        ),
        click.option(
            "--no-browser", is_flag=True, help="Do not offer to open the browser for the login."
        ),
        click.option(
            "--client-name",
            metavar="NAME",
            default="chaojiyuyan-cli",
            show_default=True,
            help="Name of this program on the page that approves the login.",
        ),
        click.option(
            "--api-key",
            metavar="KEY",
            help="Use this agent key instead of logging in; - reads it from standard input.",
        ),
    ):
        collect = option(collect)
    return collect


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
