"""Find the key and the base URL in the environment or in the credentials file."""

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
"""Environment variables for the key. The first one that is not blank is used."""

BASE_URL_VARIABLES = ("HEBING_BASE_URL", "NEXUS_BASE_URL")
"""Environment variables for the base URL. The first one that is not blank is used."""


class NoCredentials(ValueError):
    """Neither the environment nor the credentials file has a key."""

    def __init__(self) -> None:
        """Make the message, which says what to do."""
        super().__init__(
            "No chaojiyuyan credentials found: set CHAOJIYUYAN_API_KEY,"
            " or run `chaojiyuyan connect`"
        )

    def __reduce__(self) -> tuple[type[NoCredentials], tuple[()]]:
        """Pickle without arguments, because the constructor has none."""
        return NoCredentials, ()


@dataclass(frozen=True, slots=True)
class Settings:
    """A key and a base URL, and the source of each.

    Attributes:
        api_key: The agent key.
        base_url: The base URL of the platform, without a trailing slash.
        key_source: The source of the key, for example ``CHAOJIYUYAN_API_KEY`` or ``profile
            default``.
        base_url_source: The source of the base URL, or ``default`` when none is set.
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

    A key in the environment is used with the base URL of the environment. Without such a key, the
    key of the profile is used with the base URL of the profile, which then wins over the
    environment.

    Args:
        profile: The profile of the credentials file. By default, ``CHAOJIYUYAN_PROFILE`` or else
            ``default``.
        base_url: A base URL that overrides all others.
        prefer_profile: Whether the key of the profile wins over the environment.
        prefer_environment_url: Whether the base URL of the environment wins over the profile.
        environ: The environment, by default ``os.environ``.
        path: The credentials file, by default ``~/.chaojiyuyan/credentials``.

    Raises:
        ValueError: There is no key, or a base URL is invalid.
        CredentialsError: The credentials file cannot be read.
    """
    environ = os.environ if environ is None else environ
    env_key_name, env_key = _first_set(environ, API_KEY_VARIABLES)
    env_url_name, env_url = _first_set(environ, BASE_URL_VARIABLES)
    argument = ("argument", (base_url or "").strip())
    environment = (env_url_name, env_url)

    if env_key and not prefer_profile:
        url_source, url = _choose([argument, environment])
        return Settings(env_key, parsed_base_url(url), env_key_name, url_source)

    from .credentials import load_credentials, profile_name

    name = profile_name(profile, environ)
    saved = load_credentials(profile=name, path=path)
    if saved is None:
        raise NoCredentials
    place = f"profile {name}"
    saved_url = saved.get("base_url") or ""
    others = [(place, saved_url), environment]
    if prefer_environment_url:
        others.reverse()
    url_source, url = _choose([argument, *others])
    if url_source == place and env_url and env_url.rstrip("/") != url.rstrip("/"):
        warn_caller(
            f"{env_url_name}={env_url} is not used: the key comes from {place},"
            f" which has the base URL {url}"
        )
    if url_source == env_url_name and saved_url and saved_url.rstrip("/") != url.rstrip("/"):
        warn_caller(
            f"{env_url_name}={url} receives the key of {place}, which was saved for {saved_url}"
        )
    return Settings(saved["api_key"], parsed_base_url(url), place, url_source)


def _first_set(environ: Mapping[str, str], names: tuple[str, ...]) -> tuple[str, str]:
    """Return the first variable that is not blank and its value, or two empty strings."""
    for name in names:
        value = environ.get(name, "").strip()
        if value:
            return name, value
    return "", ""


def _choose(candidates: list[tuple[str, str]]) -> tuple[str, str]:
    return next(((source, url) for source, url in candidates if url), ("default", DEFAULT_BASE_URL))
