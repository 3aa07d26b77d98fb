"""The console: the kernel's web pages, rendered on the server and updated live by htmx."""

# Each module adds its pages to the router.
from . import accounts, agents, capabilities, job, jobs, live, overview, simulate  # noqa: F401
from .page import not_found_page, router

__all__ = ["not_found_page", "router"]
