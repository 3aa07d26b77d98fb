"""Find the proxy for an address in the environment."""

from __future__ import annotations

from urllib.request import getproxies, proxy_bypass

from chaojiyuyan_core.addresses import is_loopback


def find_proxy(scheme: str, host: str) -> str | None:
    """Return the URL of the proxy for an address, or None to connect directly.

    ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` are used, and on macOS and
    Windows also the system's settings. A loopback address never uses a proxy, because the key of a
    local kernel would leave this machine.

    Args:
        scheme: ``http`` or ``https``.
        host: The host of the address.
    """
    if is_loopback(host):
        return None
    proxies = getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    if not proxy or proxy_bypass(host):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
