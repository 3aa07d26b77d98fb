"""The versions of the SDK's distributions, without the metadata: reading it takes longer."""

from __future__ import annotations

from importlib import import_module

DISTRIBUTIONS = ("sdk", "core", "client", "worker", "cli", "mcp", "devserver")


def installed() -> dict[str, str]:
    """Return the versions of all parts of the SDK that are installed, by distribution."""
    found = {name: _version(name) for name in DISTRIBUTIONS}
    return {f"chaojiyuyan-{name}": version for name, version in found.items() if version}


def current() -> str:
    """Return the SDK's name and version, the command line's own where it stands alone."""
    name, version = "sdk", _version("sdk")
    if version is None:
        name, version = "cli", _version("cli")
    return f"chaojiyuyan-{name} {version}"


def _version(name: str) -> str | None:
    try:
        module = import_module(f"chaojiyuyan_{name}._version")
    except ModuleNotFoundError:
        return None
    version: str = module.__version__
    return version
