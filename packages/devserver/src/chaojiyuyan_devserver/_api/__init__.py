"""The kernel over HTTP."""

from .app import PREFIX, Access, create_app

__all__ = ["PREFIX", "Access", "create_app"]
