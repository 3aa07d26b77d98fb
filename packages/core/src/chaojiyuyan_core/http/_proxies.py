"""Find the proxy for an address in the environment, and connect through it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies, proxy_bypass

from chaojiyuyan_core.addresses import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable


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


def make_proxy(
    proxy: str, http_type: Callable[..., Any], socks_type: Callable[..., Any], **options: object
) -> Any:
    """Return httpcore's pool for a proxy, which makes the connections through it.

    Args:
        proxy: The URL of the proxy, which may have a user and a password.
        http_type: The type of the pool for an http or https proxy.
        socks_type: The type of the pool for a SOCKS proxy.
        options: Further arguments of the pool.

    Raises:
        ValueError: The URL has an unknown scheme.
        ImportError: The package for SOCKS is not installed.
    """
    import httpx

    from ._raw import to_raw_url

    parsed = httpx.Proxy(proxy)
    is_socks = parsed.url.scheme.startswith("socks")
    if is_socks and find_spec("socksio") is None:
        raise ImportError("A SOCKS proxy needs another package: pip install 'httpx[socks]'")
    make_pool = socks_type if is_socks else http_type
    return make_pool(proxy_url=to_raw_url(parsed.url), proxy_auth=parsed.raw_auth, **options)
