"""The module path of 0.4.0; the server is in :mod:`chaojiyuyan_mcp`."""

from chaojiyuyan_core.errors import HebingAPIError, HebingError, JobTimeout
from chaojiyuyan_mcp import main

from ._version import __version__ as SDK_VERSION  # noqa: N812  (its name in 0.4.0)


def cli_main() -> int:
    """Serve MCP on standard input and output, as ``chaojiyuyan mcp-server`` does.

    Returns:
        The exit code: 0 when the client went away, 1 without credentials.
    """
    return main([])


__all__ = ["SDK_VERSION", "HebingAPIError", "HebingError", "JobTimeout", "cli_main"]

if __name__ == "__main__":
    raise SystemExit(cli_main())
