"""``python -m chaojiyuyan_devserver``: the local kernel as a process."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ._version import __version__
from .catalog import Catalog, CatalogError, builtin, load
from .faults import EFFECTS, ENDPOINTS, parse
from .folder import default_folder

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the local kernel until SIGTERM or SIGINT; ``trigger …`` speaks to a running one.

    Args:
        argv: the arguments, those of the process by default.

    Returns:
        The exit code: 0 after a signal, 1 where it cannot start. Wrong usage raises SystemExit(2).
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["trigger"]:
        from .trigger import trigger

        return trigger(arguments[1:])
    parser = _parser()
    options = parser.parse_args(arguments)
    if not options.allow_remote and not _is_loopback(options.host):
        parser.error(
            f"--host {options.host} opens the kernel to other machines: whoever reaches it can"
            " start device logins, and its plain HTTP can be read along. Add --allow-remote if that"
            " is meant; the console then asks for a token."
        )
    try:
        catalog = Catalog([*builtin(), *(load(options.catalog) if options.catalog else ())])
    except CatalogError as error:
        print(error, file=sys.stderr)
        return 1
    from .server import serve

    return serve(options, catalog)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chaojiyuyan dev",
        description="The chaojiyuyan platform on this machine. Prints its base URL and an agent"
        " key once it serves. 'trigger' sends webhooks of a running one: see 'trigger --help'.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument("--port", type=_port, default=8787, help="0 picks a free one (8787)")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (127.0.0.1)")
    parser.add_argument(
        "--allow-remote", action="store_true", help="allow a --host that other machines reach"
    )
    place = parser.add_mutually_exclusive_group()
    place.add_argument(
        "--data", type=Path, metavar="DIR", help=f"where its data is kept ({default_folder()})"
    )
    place.add_argument("--ephemeral", action="store_true", help="keep everything in memory")
    parser.add_argument(
        "--catalog", type=Path, metavar="FILE", help="more capability specs, YAML or JSON"
    )
    parser.add_argument(
        "--lease", type=_seconds, default=30.0, metavar="S", help="length of a lease, seconds (30)"
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        type=_fault,
        metavar="ENDPOINT=EFFECT[@WHEN]",
        help=f"let requests fail: an endpoint ({', '.join(ENDPOINTS)}), an effect ({EFFECTS}),"
        " and when: @2 the second request only, @10%% a tenth of them. Repeatable.",
    )
    return parser


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError
    return port


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise ValueError
    return seconds


def _fault(text: str) -> str:
    try:
        parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


if __name__ == "__main__":
    raise SystemExit(main())
