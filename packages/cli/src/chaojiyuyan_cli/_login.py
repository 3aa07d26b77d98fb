"""Get a key from the command line, standard input, a hidden prompt, or a device login."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from chaojiyuyan_core.addresses import checked_api_key

from ._dialogue import ask
from ._errors import UserError
from ._output import escape, is_terminal

if TYPE_CHECKING:
    from chaojiyuyan_core.models import DeviceCode, DeviceToken

    from ._session import Session

FROM_INPUT = "-"
"""The value of ``--api-key`` that reads standard input, to keep the key out of the history."""

_TIMEOUT = 600.0  # maximum seconds of a device login
_TITLE = "Connect to chaojiyuyan"


@dataclass(frozen=True)
class LoginOptions:
    """The options of a login.

    Args:
        api_key: The value of ``--api-key``; None starts a device login.
        client_name: The name of this program on the page that approves a login.
        browser: Whether to offer to open the browser.
        verify: Whether to check a given key with the platform before it is saved.
    """

    api_key: str | None
    client_name: str
    browser: bool
    verify: bool


def base_url_for_login(session: Session) -> tuple[str, str]:
    """Return the base URL for a new key, and the source of the base URL.

    The order is ``--base-url``, the environment, the production platform. A saved base URL is not
    used, because it belongs to the saved key.

    Args:
        session: The options that every command takes.

    Raises:
        ValueError: The base URL is invalid.
    """
    from chaojiyuyan_core.addresses import DEFAULT_BASE_URL, checked_base_url
    from chaojiyuyan_core.settings import BASE_URL_VARIABLES

    candidates = [("--base-url", session.base_url or "")]
    candidates += [(name, os.environ.get(name, "").strip()) for name in BASE_URL_VARIABLES]
    candidates += [("the production platform", DEFAULT_BASE_URL)]
    source, url = next(candidate for candidate in candidates if candidate[1])
    return checked_base_url(url), source


def log_in(session: Session, options: LoginOptions, base_url: str) -> str:
    """Use the given key or log in for a new one, and save it.

    Args:
        session: The options that every command takes.
        options: How to get the key.
        base_url: The base URL that goes with the key.

    Returns:
        The key.

    Raises:
        ValueError: The given key is invalid.
        CredentialsError: The credentials file cannot be written.
        DeviceFlowError: The login was denied, or nobody approved it in time.
        HebingAPIError: The platform refused the key or the login.
        httpx.HTTPError: The platform cannot be reached for a login.
    """
    from chaojiyuyan_core.credentials import check_writable, save_credentials
    from chaojiyuyan_core.errors import CredentialsError
    from chaojiyuyan_core.redaction import mask_key

    if options.api_key is not None:
        key, account, how = read_key(options.api_key), None, "Connected with provided Agent KEY"
        session.keep_secret(key)
        if options.verify:
            _verify(key, base_url)
    else:
        check_writable()  # before the login, because a key that cannot be saved would be lost
        token = device_login(base_url, options.client_name, browser=options.browser)
        key, account, how = token["api_key"], token.get("account_id"), "Login OK"
        session.keep_secret(key)
    try:
        path = save_credentials(key, base_url=base_url, account_id=account, profile=session.profile)
    except CredentialsError:
        if options.api_key is None:  # the platform shows a new key only once
            click.echo(f"Keep this agent key. It is shown only once: {escape(key)}")
        raise
    click.echo(f"{how}; saved to {path}")
    click.echo(f"Active key: {mask_key(key)}")
    return key


def log_out(session: Session) -> None:
    """Remove the saved profile, and name the variables of the environment that contain a key.

    Args:
        session: The options that every command takes.

    Raises:
        CredentialsError: The credentials file cannot be read or written.
    """
    from chaojiyuyan_core.credentials import CREDENTIALS_PATH, clear_credentials
    from chaojiyuyan_core.settings import API_KEY_VARIABLES

    if clear_credentials(profile=session.profile):
        click.echo(f"Cleared credentials from {CREDENTIALS_PATH}.")
    else:
        click.echo("No saved credentials.")
    for name in API_KEY_VARIABLES:
        if os.environ.get(name, "").strip():
            click.echo(f"Note: {name} is still set in the environment.")


def read_key(option: str) -> str:
    """Return the key from ``--api-key``; ``-`` reads it from standard input or a hidden prompt.

    Args:
        option: The value of the option.

    Raises:
        ValueError: The key is invalid.
        UserError: No key was entered.
    """
    if option != FROM_INPUT:
        return checked_api_key(option)
    if sys.stdin.isatty():
        import getpass

        try:
            return checked_api_key(getpass.getpass("Agent key: "))
        except EOFError:
            raise UserError("No key was entered.") from None
    return checked_api_key(sys.stdin.readline().strip())


def device_login(base_url: str, client_name: str, *, browser: bool) -> DeviceToken:
    """Show a code, and wait until the user approves it in a browser (RFC 8628).

    Args:
        base_url: The base URL of the API.
        client_name: The name of this program on the page that approves the login.
        browser: Whether to offer to open the browser.

    Raises:
        DeviceFlowError: The login was denied, or nobody approved it in time.
        HebingAPIError: The platform refused the login.
        httpx.HTTPError: The platform cannot be reached.
    """
    from chaojiyuyan_core.device_login import instructions, start_device_login, wait_for_approval
    from chaojiyuyan_core.http import RequestBuilder, Transport, run

    from ._spinner import Spinner, describe_duration

    transport = Transport(RequestBuilder(None, base_url))
    try:
        code = run(start_device_login(client_name), transport)
        *_, open_line, code_line, waiting = map(escape, instructions(code))
        click.echo("\n".join([_TITLE, "-" * len(_TITLE), open_line, code_line]))
        if browser and _can_open_browser():
            _offer_browser(code)
        if not is_terminal(sys.stderr):
            click.echo(waiting)
        expires = code.get("expires_in")
        limit = min(expires, _TIMEOUT) if isinstance(expires, (int, float)) else _TIMEOUT

        def left(elapsed: float) -> str:
            return f"{waiting} {describe_duration(max(limit - elapsed, 0))} left"

        with Spinner(left):
            return run(wait_for_approval(code, now=time.monotonic, timeout=_TIMEOUT), transport)
    finally:
        transport.close()


def _verify(api_key: str, base_url: str) -> None:
    """Check a key before it is saved. Only a refusal by the platform is an error."""
    import httpx

    from chaojiyuyan_core.errors import (
        AuthenticationError,
        HebingAPIError,
        PermissionDeniedError,
    )

    from ._probe import NotTheApi, check_key

    try:
        check_key(api_key, base_url)
    except (AuthenticationError, PermissionDeniedError):
        raise
    except (NotTheApi, HebingAPIError, httpx.HTTPError) as error:
        reason = escape(error) or type(error).__name__
        click.echo(f"Warning: the key could not be checked: {reason}", err=True)


def _can_open_browser() -> bool:
    """Return whether the user would see a browser that is opened on this machine."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    if any(os.environ.get(name) for name in ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")):
        return False
    if sys.platform.startswith("linux"):
        return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return True


def _offer_browser(code: DeviceCode) -> None:
    import webbrowser

    url = code.get("verification_url_complete") or code["verification_url"]
    if not url.startswith(("https://", "http://")):  # other schemes could start other programs
        raise UserError(f"The platform did not send the address of a web page: {url}")
    try:
        answer = ask("Open it in your browser now? [Y/n] ").lower()
    except EOFError:
        return
    if answer in {"", "y", "yes"} and not webbrowser.open(url):
        click.echo("No browser could be started. Open the address by hand.")
