"""The kernel over HTTP."""

from .app import PREFIX, create_app

__all__ = ["PREFIX", "create_app"]
