"""The module path of 0.4.0; the names are in :mod:`chaojiyuyan_core.credentials`."""

from chaojiyuyan_core.credentials import (
    CREDENTIALS_DIR,
    CREDENTIALS_PATH,
    DEFAULT_PROFILE,
    clear_credentials,
    load_credentials,
    save_credentials,
)

__all__ = [
    "CREDENTIALS_DIR",
    "CREDENTIALS_PATH",
    "DEFAULT_PROFILE",
    "clear_credentials",
    "load_credentials",
    "save_credentials",
]
