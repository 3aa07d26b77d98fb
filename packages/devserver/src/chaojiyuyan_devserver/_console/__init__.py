"""The console: pages for the person at this machine, rendered here and kept live by htmx."""

from .page import not_found_page
from .routes import router

__all__ = ["not_found_page", "router"]
