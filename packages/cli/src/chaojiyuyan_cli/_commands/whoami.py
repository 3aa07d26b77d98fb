"""`chaojiyuyan whoami`: show the account of the key, and check that the platform accepts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from chaojiyuyan_cli._options import Command, json_option, pass_session

if TYPE_CHECKING:
    from chaojiyuyan_cli._session import Session


@click.command("whoami", cls=Command)
@json_option
@pass_session
def command(session: Session, as_json: bool) -> None:
    """Show the account of the key in use, and check the key."""
    from chaojiyuyan_cli._output import echo_fields, echo_json
    from chaojiyuyan_cli._probe import check_key
    from chaojiyuyan_core.credentials import load_credentials, profile_name
    from chaojiyuyan_core.redaction import mask_key

    settings = session.settings()
    check_key(settings.api_key, settings.base_url)
    profile = profile_name(session.profile)
    saved = load_credentials(profile=profile) or {}
    # Only a device login returns the account, and only the credentials file keeps it.
    account = saved.get("account_id") if saved.get("api_key") == settings.api_key else None
    if as_json:
        echo_json(
            {
                "account_id": account,
                "profile": profile,
                "api_key": mask_key(settings.api_key),
                "api_key_source": settings.key_source,
                "base_url": settings.base_url,
            }
        )
        return
    echo_fields(
        {
            "Account": account or "unknown, because the key does not come from a login here",
            "Profile": profile,
            "API key": f"{mask_key(settings.api_key)}  (from {settings.key_source}), accepted",
            "Base URL": settings.base_url,
        }
    )
