"""``python -m chaojiyuyan_devserver``: the local kernel as a process."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ._version import __version__
from .catalog import Catalog, CatalogError, builtin, load

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the local kernel until SIGTERM or SIGINT.

    Args:
        argv: the arguments, those of the process by default.

    Returns:
        The exit code: 0 after a signal, 1 where it cannot start.
    """
    options = _parser().parse_args(argv)
    try:
        catalog = Catalog([*builtin(), *(load(options.catalog) if options.catalog else ())])
    except CatalogError as error:
        print(error, file=sys.stderr)
        return 1
    from .server import serve

    return serve(options, catalog)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chaojiyuyan dev", description="The chaojiyuyan platform on this machine."
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--port", type=int, default=8787, help="0 picks a free one (default 8787)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the database is kept")
    parser.add_argument("--ephemeral", action="store_true", help="keep everything in memory")
    parser.add_argument("--catalog", type=Path, metavar="FILE", help="more capability specs")
    parser.add_argument("--lease", type=float, default=30.0, metavar="S", help="seconds (30)")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
