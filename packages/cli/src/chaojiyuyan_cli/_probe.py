"""Check whether the platform accepts a key, with a request that changes nothing."""

from __future__ import annotations

from ._errors import UserError

_NO_JOB = "00000000-0000-0000-0000-000000000000"
_TIMEOUT = 10.0  # seconds for each of connect, write and read


class NotTheApi(UserError):
    """A server responds at the base URL, but it is not the API."""


def check_key(api_key: str, base_url: str) -> None:
    """Read a job that does not exist. The API's own 404 means that it accepted the key.

    The request is ``GET /kernel-jobs/{id}``, because it is documented and its response is short.

    Args:
        api_key: The key.
        base_url: The base URL of the API.

    Raises:
        AuthenticationError: The platform refuses the key.
        NotTheApi: Another server responds at the base URL.
        HebingAPIError: The platform responds with another error.
        httpx.HTTPError: The platform cannot be reached.
    """
    from chaojiyuyan_client import NexusClient
    from chaojiyuyan_core.errors import NotFoundError, ResponseFormatError, UnprocessableError

    with NexusClient(api_key, base_url, timeout=_TIMEOUT, max_retries=1) as client:
        try:
            client.get_job(_NO_JOB)
        except UnprocessableError:
            return
        except (NotFoundError, ResponseFormatError) as error:
            if isinstance(error, ResponseFormatError) or error.code is None:
                raise NotTheApi(
                    f"{base_url} does not answer as the API does.{hint_at_path(base_url)}"
                ) from error


def hint_at_path(base_url: str) -> str:
    """Return a sentence about the path that a base URL seems to lack, or an empty text.

    Args:
        base_url: The base URL of the API.
    """
    return "" if "/api/" in base_url else f" Did you mean {base_url.rstrip('/')}/api/v1 ?"
