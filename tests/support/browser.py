"""A browser without scripts for the console."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from chaojiyuyan_devserver.testing import LocalKernel


def site(kernel: LocalKernel) -> str:
    return kernel.base_url.removesuffix("/api/v1")


class PlainBrowser(httpx.Client):
    """Reads pages and submits their forms; does not run scripts."""

    def __init__(self, kernel: LocalKernel) -> None:
        super().__init__(
            base_url=site(kernel),
            headers={"Accept": "text/html"},
            trust_env=False,
            follow_redirects=True,
            timeout=30,
        )
        self._console_url = kernel.console_url

    def __enter__(self) -> PlainBrowser:
        super().__enter__()
        self.get(self._console_url)  # sets the console's token as a cookie
        return self

    def press(self, path: str, **fields: str) -> httpx.Response:
        """Submit a form with the CSRF token of a page."""
        token = re.search(r'name="csrf_token" value="(\w+)"', self.get("/keys").text)
        assert token is not None
        return self.post(path, data={"csrf_token": token.group(1), **fields})
