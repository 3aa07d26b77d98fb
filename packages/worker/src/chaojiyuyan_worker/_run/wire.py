"""What a run sends its calls by."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from chaojiyuyan_core.api import Call, Fetch
    from chaojiyuyan_core.http import Reply


class Wire(Protocol):
    """What sends calls: a :class:`~chaojiyuyan_core.http.Transport`, or the like."""

    def send(self, call: Call[object] | Fetch, timeout: float | None = None) -> Reply:
        """Send a call once and return what came of it, ``timeout`` seconds later at most."""

    def abort(self) -> None:
        """End what is being sent, from another thread: ``send`` returns a fault."""

    def close(self) -> None:
        """Close the connections."""


NewWire = Callable[[int], Wire]
"""Makes a wire with at most so many connections."""
