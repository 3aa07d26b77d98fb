"""The device login of the clients, which shows its instructions to the user."""

from __future__ import annotations

import contextlib
import functools
import time
from typing import TYPE_CHECKING

from chaojiyuyan_core.credentials import check_writable, save_credentials
from chaojiyuyan_core.device_login import instructions, start_device_login, wait_for_approval

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaojiyuyan_core.http import Flow
    from chaojiyuyan_core.models import DeviceToken

CLIENT_NAME = "chaojiyuyan-sdk"
"""The default name of the program on the page that approves a login."""

# Without a flush, a pipe would show the code only after the login.
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
    """Show the instructions, wait for the approval, and return the agent key.

    The platform returns the key only once. Therefore the key is saved, or shown when it cannot be
    saved, before anything else can fail. The arguments are described at
    :meth:`NexusClient.login_device_flow`.
    """
    show = print_fn or _print
    if save:
        check_writable()
    code = yield from start_device_login(client_name or CLIENT_NAME)
    for line in instructions(code):
        show(line)
    token = yield from wait_for_approval(
        code, now=time.monotonic, timeout=timeout, poll_interval=poll_interval
    )
    lines = _save(token, base_url, profile) if save else []
    with contextlib.suppress(Exception):  # a closed output must not lose the key
        for line in [*lines, "Connected to hebing."]:
            show(line)
    return token["api_key"]


def _save(token: DeviceToken, base_url: str, profile: str | None) -> list[str]:
    """Save the key, and return the lines that say where it is."""
    key, account_id = token["api_key"], token.get("account_id")
    try:
        path = save_credentials(
            key,
            base_url=base_url,
            account_id=None if account_id is None else str(account_id),
            profile=profile,
        )
    except Exception as error:  # noqa: BLE001  (no error may lose the key)
        return [
            f"The login succeeded, but the key could not be saved: {error}",
            f"Keep this agent key. It is shown only once: {ascii(key)[1:-1]}",
        ]
    return [f"Saved credentials to {path}"]
