"""Where the key and the base URL come from: environment, then the credentials file."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ._caller_warnings import warn_caller
from .addresses import DEFAULT_BASE_URL, parsed_base_url

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

API_KEY_VARIABLES = ("CHAOJIYUYAN_API_KEY", "HEBING_API_KEY", "NEXUS_API_KEY")
"""Environment variables that hold a key; the first set one wins, a blank one counts as unset."""

BASE_URL_VARIABLES = ("HEBING_BASE_URL", "NEXUS_BASE_URL")
"""Environment variables that hold a base URL; the first set one wins."""


class NoCredentials(ValueError):
    """Neither the environment nor the credentials file has a key."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__(
            "No chaojiyuyan credentials found: set CHAOJIYUYAN_API_KEY,"
            " or run `chaojiyuyan connect`"
        )

    def __reduce__(self) -> tuple[type[NoCredentials], tuple[()]]:
        """Pickle without the text, which the constructor knows."""
        return NoCredentials, ()


@dataclass(frozen=True, slots=True)
class Settings:
    """A key and a base URL, and where each was found.

    Attributes:
        api_key: The agent key.
        base_url: The platform's base URL, without a trailing slash.
        key_source: For example ``CHAOJIYUYAN_API_KEY`` or ``profile default``.
        base_url_source: Likewise; ``default`` where nothing names one.
    """

    api_key: str = field(repr=False)
    base_url: str
    key_source: str
    base_url_source: str


def load_settings(
    *,
    profile: str | None = None,
    base_url: str | None = None,
    prefer_profile: bool = False,
    prefer_environment_url: bool = False,
    environ: Mapping[str, str] | None = None,
    path: Path | None = None,
) -> Settings:
    """Find the key and the base URL.

    A key in the environment is used with the environment's base URL; without one, the profile's key
    with the profile's base URL, which wins over the environment's then.

    Args:
        profile: The profile of the credentials file; ``CHAOJIYUYAN_PROFILE``, then ``default``.
        base_url: A base URL that wins over every other.
        prefer_profile: Whether the profile's key wins over the environment's.
        prefer_environment_url: Whether the environment's base URL wins over the profile's.
        environ: The environment; ``os.environ`` by default.
        path: The credentials file; ``~/.chaojiyuyan/credentials`` by default.

    Raises:
        ValueError: Nothing was found, or a base URL is invalid.
        CredentialsError: The credentials file cannot be read.
    """
    environ = os.environ if environ is None else environ
    env_key_name, env_key = _first_set(environ, API_KEY_VARIABLES)
    env_url_name, env_url = _first_set(environ, BASE_URL_VARIABLES)
    url_candidates = [("argument", (base_url or "").strip())]
    env_candidate = (env_url_name, env_url)

    if env_key and not prefer_profile:
        url_source, url = _chosen([*url_candidates, env_candidate])
        return Settings(env_key, parsed_base_url(url), env_key_name, url_source)

    from .credentials import load_credentials, profile_name

    name = profile_name(profile, environ)
    saved = load_credentials(profile=name, path=path)
    if saved is None:
        raise NoCredentials
    place = f"profile {name}"
    saved_url = saved.get("base_url") or ""
    found = [env_candidate, (place, saved_url)] if prefer_environment_url else []
    url_source, url = _chosen([*url_candidates, *(found or [(place, saved_url), env_candidate])])
    if url_source == place and env_url and env_url.rstrip("/") != url.rstrip("/"):
        warn_caller(
            f"{env_url_name}={env_url} is not used: the key comes from {place},"
            f" whose base URL {url} goes with it"
        )
    if url_source == env_url_name and saved_url and saved_url.rstrip("/") != url.rstrip("/"):
        warn_caller(
            f"{env_url_name}={url} receives the key of {place}, which was saved for {saved_url}"
        )
    return Settings(saved["api_key"], parsed_base_url(url), place, url_source)


def _first_set(environ: Mapping[str, str], names: tuple[str, ...]) -> tuple[str, str]:
    """Return the first variable that is not blank, and its value; two empty texts for none."""
    for name in names:
        value = environ.get(name, "").strip()
        if value:
            return name, value
    return "", ""


def _chosen(candidates: list[tuple[str, str]]) -> tuple[str, str]:
    return next(((source, url) for source, url in candidates if url), ("default", DEFAULT_BASE_URL))
