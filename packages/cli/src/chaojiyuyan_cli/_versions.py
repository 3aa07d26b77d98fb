"""Read the versions of the SDK's distributions from modules, which is faster than metadata."""

from __future__ import annotations

from importlib import import_module

DISTRIBUTIONS = ("sdk", "core", "client", "worker", "cli", "mcp", "devserver")
"""The parts of the SDK. Each is a distribution with the prefix ``chaojiyuyan-``."""


def list_installed() -> dict[str, str]:
    """Return the version of each part of the SDK that is installed, by distribution."""
    found = {name: _read_version(name) for name in DISTRIBUTIONS}
    return {f"chaojiyuyan-{name}": version for name, version in found.items() if version}


def describe_sdk() -> str:
    """Return the name and version of the SDK, or of the CLI when the SDK is not installed."""
    name, version = "sdk", _read_version("sdk")
    if version is None:
        name, version = "cli", _read_version("cli")
    return f"chaojiyuyan-{name} {version}"


def _read_version(name: str) -> str | None:
    try:
        module = import_module(f"chaojiyuyan_{name}._version")
    except ModuleNotFoundError:
        return None
    version: str = module.__version__
    return version
