"""The options of ``chaojiyuyan dev``."""

import argparse
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

from ._commands import COMMANDS
from ._faults import EFFECTS, ENDPOINTS, PRESETS, parse
from ._folder import Folder, default_folder
from ._version import __version__


class Options:
    """The options; their fields are the parser's arguments."""

    host: str
    port: int  # 0 for a free one
    allow_remote: bool
    no_console_token: bool
    data: Path | None
    ephemeral: bool
    snapshot: Path | None  # to start from
    resume_webhooks: bool
    catalog: str | None  # a path or a URL
    lease: float  # seconds
    fault: list[str]

    @property
    def folder(self) -> Folder | None:
        """The data folder; None to keep everything in memory."""
        return None if self.ephemeral else Folder(self.data or default_folder())


def parse_options(arguments: Sequence[str]) -> Options:
    """Parse the command line.

    Raises:
        SystemExit: With 2, if the arguments are not valid.
    """
    parser = _make_parser()
    options = parser.parse_args(arguments, Options())
    if not options.allow_remote and not _is_loopback(options.host):
        parser.error(
            f"--host {options.host} opens the kernel to other machines: they can start device"
            " logins, and its plain HTTP can be read by others on the network. Add --allow-remote"
            " to allow this."
        )
    if options.allow_remote and options.no_console_token:
        parser.error("--no-console-token is not allowed with --allow-remote")
    return options


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chaojiyuyan dev",
        description="Run the chaojiyuyan platform on this machine. When it is ready, it prints its"
        " base URL and an agent key, and on standard error the link to the console.",
        epilog="Commands for a running kernel: "
        + "; ".join(f"'chaojiyuyan dev {name} --help'" for name in COMMANDS),
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument(
        "--port", type=_port, default=8787, help="port to listen on; 0 picks a free one (8787)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument(
        "--allow-remote", action="store_true", help="allow a --host that other machines can reach"
    )
    parser.add_argument(
        "--no-console-token",
        action="store_true",
        help="let every user of this machine open the console, and approve agent keys there",
    )
    place = parser.add_mutually_exclusive_group()
    place.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help=f"folder for the kernel's data ({default_folder()})",
    )
    place.add_argument("--ephemeral", action="store_true", help="keep everything in memory")
    parser.add_argument(
        "--from",
        dest="snapshot",
        type=Path,
        metavar="FILE",
        help="start from a snapshot, in an empty folder or in memory",
    )
    parser.add_argument(
        "--resume-webhooks",
        action="store_true",
        help="with --from: send the webhooks that were pending, instead of holding them",
    )
    parser.add_argument(
        "--catalog", metavar="FILE|URL", help="further capability specs, YAML or JSON"
    )
    parser.add_argument(
        "--lease",
        type=_seconds,
        default=30.0,
        metavar="S",
        help="length of a lease in seconds (30)",
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        type=_fault,
        metavar="ENDPOINT=EFFECT[@WHEN]|PRESET",
        help=f"make requests fail: an endpoint ({', '.join(ENDPOINTS)}, or any), an effect"
        f" ({EFFECTS}), and which requests: @2 only the second one, @10%% one in ten; or a preset:"
        f" {', '.join(PRESETS)}. Repeatable.",
    )
    return parser


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"  # any other name may resolve to any address


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
    if text not in PRESETS:
        try:
            parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
    return text
