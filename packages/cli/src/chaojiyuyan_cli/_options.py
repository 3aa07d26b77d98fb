"""The options and arguments that several commands share."""

from __future__ import annotations

import math
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ._session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

pass_session = click.make_pass_decorator(Session)
"""Passes the session to a command as its first argument."""

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object and nothing else."
)
"""``--json``, for a command that shows data. It is passed as ``as_json``."""

clobber_option = click.option("--clobber", is_flag=True, help="Replace existing files.")
"""``--clobber``, for a command that writes files."""


def login_options(function: Callable[..., object]) -> Callable[..., object]:
    """Add the options of a login. The function gets them as ``login``, a ``LoginOptions``.

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


class _Seconds(click.FloatRange):
    """A length of time: a finite number of seconds that is not negative."""

    name = "seconds"

    def __init__(self, *, min_open: bool = False) -> None:
        super().__init__(min=0, min_open=min_open)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        seconds = float(super().convert(value, param, ctx))
        if not math.isfinite(seconds):
            self.fail(f"{value} is not a number of seconds.", param, ctx)
        return seconds


SECONDS = _Seconds()
"""The type of an option that is a length of time."""

POSITIVE_SECONDS = _Seconds(min_open=True)
"""The type of an option that is a length of time greater than 0."""


def follow_options(function: Callable[..., object]) -> Callable[..., object]:
    """Add the options for the time after an order. The function gets them as ``follow``.

    Args:
        function: The function of a command.
    """

    @wraps(function)
    def collect(
        *args: object,
        wait: bool,
        timeout: float,
        folder: Path | None,
        clobber: bool,
        as_json: bool,
        **others: object,
    ) -> object:
        from ._orders import FollowOptions

        follow = FollowOptions(wait, timeout, folder, clobber, as_json)
        return function(*args, follow=follow, **others)

    for option in (
        json_option,
        clobber_option,
        click.option(
            "--save",
            "folder",
            metavar="DIR",
            type=click.Path(path_type=Path, file_okay=False),
            help="Wait for the job, and download its artifacts into this folder.",
        ),
        click.option(
            "--timeout",
            metavar="SECONDS",
            type=SECONDS,
            default=300.0,
            show_default=True,
            help="Maximum time to wait for the job.",
        ),
        click.option("--wait", is_flag=True, help="Wait until the job ends, and print its output."),
    ):
        collect = option(collect)
    return collect


def common_options() -> list[click.Option]:
    """Return ``--profile``, ``--base-url`` and ``--debug``, which set values of the session."""
    return [
        click.Option(
            ["--profile"],
            metavar="NAME",
            expose_value=False,
            callback=_into_session("profile"),
            shell_complete=complete_by("complete_profile"),
            help="Profile of the credentials file; overrides the environment.",
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
            help="Log requests, and show the traceback of an error.",
        ),
    ]


class Command(click.Command):
    """A command that takes the common options after its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(common_options())


class CommandGroup(click.Group):
    """A command with subcommands, which takes the common options after its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.extend(common_options())


def _into_session(name: str) -> Callable[[click.Context, click.Parameter, object], None]:
    def store(ctx: click.Context, _: click.Parameter, value: object) -> None:
        # The option may come before and after the command's name; the later one is used.
        if value:
            session = ctx.ensure_object(Session)
            setattr(session, name, value)
            if name == "debug" and not ctx.resilient_parsing:
                session.show_requests()

    return store


def complete_by(name: str) -> Callable[..., list[CompletionItem]]:
    """Return a completion that is imported only when a shell asks for it.

    Args:
        name: The name of a function in the module ``_completion``.
    """

    def complete(
        ctx: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from . import _completion

        answer: list[CompletionItem] = getattr(_completion, name)(ctx, parameter, incomplete)
        return answer

    return complete


capability_argument = click.argument(
    "capability_key", metavar="CAPABILITY", shell_complete=complete_by("complete_capability")
)
"""The key of a capability."""

capability_option = click.option(
    "--capability",
    "capability_key",
    metavar="KEY",
    shell_complete=complete_by("complete_capability"),
    help="Filter by capability.",
)
"""A filter by capability."""

job_argument = click.argument("job_id", metavar="JOB", shell_complete=complete_by("complete_job"))
"""The id of a job."""
