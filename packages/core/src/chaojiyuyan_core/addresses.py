"""Check base URLs and agent keys before they are used."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from ._caller_warnings import warn_caller

DEFAULT_BASE_URL = "https://pic.chaojiyuyan.com/api/v1"
"""The base URL of the production platform."""

_UNSENDABLE = re.compile(r"[^\x21-\x7e]")


def checked_api_key(api_key: str) -> str:
    """Return a valid key without surrounding white space, such as a newline from a file.

    Args:
        api_key: The agent key.

    Raises:
        ValueError: The key is empty, or has a character that an HTTP header cannot contain.
    """
    if not isinstance(api_key, str) or not api_key.strip():
        raise ValueError("api_key is empty: pass an agent key (nxt_ag_…)")
    key = api_key.strip()
    if _UNSENDABLE.search(key):
        raise ValueError("api_key has spaces, control or non-ASCII characters: copy it again")
    return key


def checked_base_url(base_url: str | None) -> str:
    """Check a base URL, and warn when the agent key would be sent unencrypted.

    Args:
        base_url: The URL; None or blank for the production platform. Plain http to another machine
            gives a warning.

    Returns:
        The URL without a trailing slash.

    Raises:
        ValueError: The URL is not an http or https URL with a host, or it has a user, a query or
            a fragment.
    """
    url = parsed_base_url(base_url)
    parts = urlsplit(url)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        warn_caller(f"{url} is plain http to another machine: the agent key is sent unencrypted")
    return url


def parsed_base_url(base_url: str | None) -> str:
    """Check a base URL like :func:`checked_base_url`, but without the warning.

    Args:
        base_url: The URL; None or blank for the production platform.

    Returns:
        The URL without a trailing slash.

    Raises:
        ValueError: The URL is not an http or https URL with a host, or it has a user, a query or
            a fragment.
    """
    url = (base_url or "").strip().rstrip("/") or DEFAULT_BASE_URL
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"base URL {_show(url)} is not a URL: {error}") from None
    if "@" in parts.netloc or "?" in url or "#" in url:
        raise ValueError("base URL must not have a user, password, query or fragment")
    if parts.scheme not in ("http", "https") or not host or re.search(r"[\x00-\x20\x7f]", url):
        raise ValueError(
            f"base URL {_show(url)} must be an http or https URL, such as {DEFAULT_BASE_URL}"
        )
    return url


def _show(url: str) -> str:
    """Return a URL for an error. It is a key when the arguments of a client are interchanged."""
    from .redaction import mask_keys

    return repr(mask_keys(url))


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine (RFC 6761, RFC 5735).

    Args:
        host: The host of a URL.
    """
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    from ipaddress import ip_address

    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
