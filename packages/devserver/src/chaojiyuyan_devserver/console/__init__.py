"""The console: pages for the person at this machine, rendered here and kept live by htmx."""

from .routes import router

__all__ = ["router"]
