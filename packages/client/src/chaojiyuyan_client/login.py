"""The device login as a program shows it on its output."""

from __future__ import annotations

import functools
import time
import warnings
from typing import TYPE_CHECKING

from chaojiyuyan_core.credentials import load_credentials, save_credentials
from chaojiyuyan_core.device_login import instructions, start_device_login, wait_for_approval
from chaojiyuyan_core.errors import CredentialsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaojiyuyan_core.flow import Flow

CLIENT_NAME = "chaojiyuyan-sdk"
"""What the person who approves is told, where the program names nothing else."""

# Through a pipe the code would otherwise be seen when the login is over.
_print = functools.partial(print, flush=True)


def device_login(
    base_url: str,
    *,
    client_name: str | None,
    timeout: float,
    poll_interval: float,
    print_fn: Callable[[str], object] | None,
    save: bool,
    profile: str | None,
) -> Flow[str]:
    """Log in, saying what to do, and return the agent key; the arguments are the clients'."""
    show = print_fn or _print
    if save:
        load_credentials(profile=profile)  # a file that cannot be changed is found before the login
    code = yield from start_device_login(client_name or CLIENT_NAME)
    for line in instructions(code):
        show(line)
    token = yield from wait_for_approval(
        code, now=time.monotonic, timeout=timeout, poll_interval=poll_interval
    )
    api_key = token["api_key"]
    if save:
        try:
            path = save_credentials(
                api_key, base_url=base_url, account_id=token.get("account_id"), profile=profile
            )
        except CredentialsError as error:  # the person has approved: the login itself is good
            warnings.warn(f"The login succeeded, but is not saved: {error}", stacklevel=2)
        else:
            show(f"Saved credentials to {path}")
    show("Connected to hebing.")
    return api_key
