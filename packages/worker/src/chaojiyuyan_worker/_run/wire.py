"""The interface with which a run sends its calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from chaojiyuyan_core.api import Call, Fetch
    from chaojiyuyan_core.http import Reply


class Wire(Protocol):
    """An object that sends calls, such as a :class:`~chaojiyuyan_core.http.Transport`."""

    def send(self, call: Call[object] | Fetch, timeout: float | None = None) -> Reply:
        """Send a call once, and return its reply after at most ``timeout`` seconds."""

    def abort(self) -> None:
        """End running calls from another thread. ``send`` then returns a fault."""

    def close(self) -> None:
        """Close the connections."""


NewWire = Callable[[int], Wire]
"""Makes a wire with a maximum number of connections."""
