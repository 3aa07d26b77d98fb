"""The module path of 0.4.0; the server lives in :mod:`chaojiyuyan_mcp`."""

from chaojiyuyan_mcp.__main__ import main


def cli_main() -> int:
    """Serve MCP on standard input and output, as ``chaojiyuyan mcp-server`` does.

    :returns: the exit code: 0 when the client went away, 1 without credentials.
    """
    return main([])


__all__ = ["cli_main"]

if __name__ == "__main__":
    raise SystemExit(cli_main())
