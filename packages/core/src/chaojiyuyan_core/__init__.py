"""Transport, authentication, errors and webhooks of the chaojiyuyan SDK."""

from ._version import __version__

__all__ = ["__version__"]
