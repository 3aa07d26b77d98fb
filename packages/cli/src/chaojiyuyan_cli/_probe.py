"""Asks the platform whether it takes a key, with a request that changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chaojiyuyan_core.settings import Settings

_NO_JOB = "00000000-0000-0000-0000-000000000000"


def check_key(settings: Settings) -> None:
    """Ask for a job that does not exist: a 404 means that the key was accepted.

    ``GET /kernel-jobs/{id}`` is the read whose form is certain, and no answer of it is long.

    Args:
        settings: The key and the base URL.

    Raises:
        AuthenticationError: The key was rejected.
        HebingAPIError: The platform has another objection.
        httpx.HTTPError: The platform cannot be reached.
    """
    from chaojiyuyan_client import NexusClient
    from chaojiyuyan_core.errors import NotFoundError, UnprocessableError

    with NexusClient(settings.api_key, settings.base_url) as client:
        try:
            client.get_job(_NO_JOB)
        except (NotFoundError, UnprocessableError):
            return
