"""The values of the options that every command takes, and the client made from them."""

from __future__ import annotations

import os
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chaojiyuyan_core.redaction import Redactor, mask_keys

from ._errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from chaojiyuyan_client import NexusClient
    from chaojiyuyan_core.settings import Settings


@dataclass
class Session:
    """One run of the command.

    Args:
        profile: The value of ``--profile``. Its key is used even when the environment has a key.
        base_url: The value of ``--base-url``, which overrides the environment and the credentials
            file.
        debug: Whether ``--debug`` was given.

    Attributes:
        base_url_in_use: The base URL that :meth:`settings` has found.
    """

    profile: str | None = None
    base_url: str | None = None
    debug: bool = False
    base_url_in_use: str | None = field(default=None, init=False)
    _redactors: list[Redactor] = field(default_factory=list, repr=False)

    def settings(self) -> Settings:
        """Find the key and base URL in the options, the environment or the credentials file.

        Raises:
            UserError: The credentials file does not have the profile of ``--profile``.
            ValueError: There is no key, or the base URL is invalid.
            CredentialsError: The credentials file cannot be read.
        """
        from chaojiyuyan_core.settings import load_settings

        if self.profile is not None:
            self._check_profile(self.profile)
        settings = load_settings(
            profile=self.profile,
            base_url=self.base_url,
            prefer_profile=self.profile is not None,
        )
        self.keep_secret(settings.api_key)
        self.base_url_in_use = settings.base_url
        return settings

    def settings_or_none(self) -> Settings | None:
        """Return the result of :meth:`settings`, or None when there is no key.

        Raises:
            ValueError: The base URL is invalid.
            CredentialsError: The credentials file cannot be read.
        """
        from chaojiyuyan_core.settings import NoCredentials

        try:
            return self.settings()
        except NoCredentials:
            return None

    def client(self) -> NexusClient:
        """Return a client with these settings. The caller must close it.

        Raises:
            ValueError: As in :meth:`settings`.
        """
        from chaojiyuyan_client import NexusClient

        settings = self.settings()
        return NexusClient(settings.api_key, settings.base_url)

    def export(self) -> None:
        """Set the environment from ``--profile`` and ``--base-url``, for code that reads it.

        Raises:
            ValueError: As in :meth:`settings`.
        """
        if self.profile is None and self.base_url is None:
            return
        settings = self.settings()
        os.environ.update(CHAOJIYUYAN_API_KEY=settings.api_key, HEBING_BASE_URL=settings.base_url)

    def keep_secret(self, text: str) -> None:
        """Mask a key in all output from now on.

        Args:
            text: The key.
        """
        self._redactors.append(Redactor(text))  # mask_keys uses every Redactor that exists

    def show_requests(self) -> None:
        """Log every request to standard error, with masked keys."""
        import logging

        from ._output import escape

        class Formatter(logging.Formatter):
            def format(self, record: logging.LogRecord) -> str:
                return escape(mask_keys(super().format(record)), keep="\n\t")

        handler = logging.StreamHandler()
        handler.setFormatter(Formatter("%(asctime)s %(name)s %(message)s"))
        logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)

    @contextmanager
    def show_warnings_as_lines(self) -> Iterator[None]:
        """Show a warning as one line on standard error, without its position in the source."""
        with warnings.catch_warnings():

            def show(message: Warning | str, *_: object, **__: object) -> None:
                import click

                from ._output import escape

                click.echo(f"Warning: {mask_keys(escape(message))}", err=True)

            warnings.simplefilter("once", UserWarning)
            warnings.showwarning = show
            yield

    def _check_profile(self, profile: str) -> None:
        from chaojiyuyan_core.credentials import CREDENTIALS_PATH, load_credentials

        if load_credentials(profile=profile) is None:
            raise UserError(
                f"No profile {profile!r} in {CREDENTIALS_PATH}."
                f" Run `chaojiyuyan login --profile {profile}`."
            )


def find_home() -> Path:
    """Return the user's home folder.

    Raises:
        UserError: There is no home folder: HOME is not set, and the user database has no entry.
    """
    from pathlib import Path

    home = Path(os.path.expanduser("~"))  # noqa: PTH111  # Path.home() raises when there is none
    if not home.is_absolute():
        raise UserError("The home folder is unknown. Set HOME.")
    return home
