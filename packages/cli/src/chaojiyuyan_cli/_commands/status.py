"""`chaojiyuyan status`: show the key and base URL in use, or one job."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from chaojiyuyan_cli._options import Command, complete_by, json_option, pass_session

if TYPE_CHECKING:
    from chaojiyuyan_cli._session import Session


@click.command("status", cls=Command)
@click.argument(
    "job_id", metavar="[JOB]", required=False, shell_complete=complete_by("complete_job")
)
@json_option
@pass_session
def command(session: Session, job_id: str | None, as_json: bool) -> None:
    """Show the key and base URL in use, or one job."""
    if job_id is None:
        _show_profile(session, as_json=as_json)
    else:
        _show_job(session, job_id, as_json=as_json)


def _show_profile(session: Session, *, as_json: bool) -> None:
    from chaojiyuyan_cli._clients.locations import locate_mcp_json
    from chaojiyuyan_cli._output import echo_fields, echo_json
    from chaojiyuyan_cli._session import find_home
    from chaojiyuyan_core.credentials import CREDENTIALS_PATH, profile_name
    from chaojiyuyan_core.redaction import mask_key

    settings = session.settings_or_none()
    if settings is None:
        if as_json:
            echo_json({"connected": False})
        else:
            click.echo("Not connected. Run `chaojiyuyan connect`.")
        return
    profile = profile_name(session.profile)
    target = locate_mcp_json(find_home()).path
    if as_json:
        echo_json(
            {
                "connected": True,
                "profile": profile,
                "api_key": mask_key(settings.api_key),
                "api_key_source": settings.key_source,
                "base_url": settings.base_url,
                "base_url_source": settings.base_url_source,
                "credentials_path": str(CREDENTIALS_PATH),
                "mcp_target": str(target),
                "mcp_target_exists": target.exists(),
            }
        )
        return
    echo_fields(
        {
            "Profile": profile,
            "API key": f"{mask_key(settings.api_key)}  (from {settings.key_source})",
            "Base URL": f"{settings.base_url}  (from {settings.base_url_source})",
            "Creds path": CREDENTIALS_PATH,
            "MCP target": f"{target}{'' if target.exists() else '  (not written yet)'}",
        }
    )


def _show_job(session: Session, job_id: str, *, as_json: bool) -> None:
    from chaojiyuyan_cli._output import echo_fields, echo_json

    with session.client() as client:
        job = client.get_job(job_id)
    if as_json:
        echo_json(job)
        return
    price = job.get("price_nc")
    echo_fields(
        {
            "Job": job.id,
            "Status": job.status,
            "Capability": job.get("capability_key"),
            "Price": None if price is None else f"{price} nc",
            "Created": job.get("created_at"),
            "Completed": job.get("completed_at"),
            "Error code": job.get("error_code"),
            "Error message": job.get("error_message"),
            "Artifacts": len(job.artifacts) or None,
        }
    )
