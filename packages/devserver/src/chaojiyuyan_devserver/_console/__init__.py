"""The console: the kernel's web pages, rendered on the server and updated live by htmx."""

from . import (  # noqa: F401 - each adds its pages to the router
    activate,
    balances,
    capabilities,
    job,
    jobs,
    keys,
    live,
    overview,
    simulate,
    webhooks,
    workers,
)
from .page import not_found_page, router

__all__ = ["not_found_page", "router"]
