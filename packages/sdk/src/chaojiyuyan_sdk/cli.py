"""The module path of 0.4.0; the command line lives in :mod:`chaojiyuyan_cli`."""

from chaojiyuyan_cli.main import EX_API_ERROR, EX_OK, EX_USER_ERROR, main, run

__all__ = ["EX_API_ERROR", "EX_OK", "EX_USER_ERROR", "main"]

if __name__ == "__main__":
    raise SystemExit(run())
