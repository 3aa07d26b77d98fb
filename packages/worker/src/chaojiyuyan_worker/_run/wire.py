"""The ways onto the wire: a slot's own short one, and the usual one where that does not do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from chaojiyuyan_core.transport import Transport, ssl_context

if TYPE_CHECKING:
    import httpx

    from chaojiyuyan_core.api import Call
    from chaojiyuyan_core.requests import Requests


class Wire(Protocol):
    """What sends calls: a :class:`~chaojiyuyan_core.transport.Transport`, or the like."""

    def send(self, call: Call[object], timeout: float | None = None) -> httpx.Response | Exception:
        """Send a call once; return the answer, or the fault on the way to it."""

    def close(self) -> None:
        """Close the connections that are its own."""


class DirectWire:
    """One connection without an ``httpx.Client`` around it, which would take a quarter of the time.

    It knows no cookies, redirects or proxies.

    :param requests: makes the requests.
    """

    def __init__(self, requests: Requests) -> None:
        import httpx

        self._requests = requests
        self._connection = httpx.HTTPTransport(verify=ssl_context())
        self._faults = httpx.RequestError

    def send(self, call: Call[object], timeout: float | None = None) -> httpx.Response | Exception:
        """Send a call once; return the answer, or the fault on the way to it."""
        request = self._requests.build(call, timeout)
        try:
            response = self._connection.handle_request(request)
            response.request = request
            response.read()
        except self._faults as fault:
            fault.request = request
            return fault
        return response

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


NewWire = Callable[[int], Wire]
"""Makes a wire with so many connections."""


def wire_factory(requests: Requests, http_client: httpx.Client | None) -> NewWire:
    """Return what makes the wires of a run.

    Args:
        requests: Makes the requests.
        http_client: A client that was handed in; all goes through it then.
    """
    from urllib.request import getproxies

    def new_wire(connections: int) -> Wire:
        if connections > 1 or http_client is not None or getproxies():
            return Transport(requests, http_client=http_client, connections=connections)
        return DirectWire(requests)

    return new_wire
