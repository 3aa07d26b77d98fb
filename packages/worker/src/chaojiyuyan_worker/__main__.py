"""``python -m chaojiyuyan_worker module:worker``: the command of a container."""

from __future__ import annotations

import argparse
import logging
import sys
from typing import TYPE_CHECKING

from ._loading import load_worker
from ._observe.logs import configure_logging
from ._reload import NOT_LOADED, run_reloading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .worker import Worker

log = logging.getLogger("chaojiyuyan_worker")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a worker until SIGTERM or SIGINT, and return the exit code.

    Args:
        argv: The arguments, by default ``sys.argv[1:]``.

    Returns:
        0 when the worker was stopped and finished its running jobs, otherwise 1.
    """
    options = _parser().parse_args(argv)
    configure_logging(options.log_format)
    try:
        if options.reload:
            return _run_reloading(options)
        worker = _load(options)
        if options.concurrency is not None:
            worker.concurrency = options.concurrency
        if options.health_port is not None:
            from ._observe.probes import HealthServer

            server = HealthServer(worker.health, worker.metrics, options.health_port)
            log.info("probes on port %d", server.port, extra={"port": server.port})
        worker.run()
    except Exception as error:
        # The traceback only at DEBUG, because a rejected key does not need one.
        log.error("%s: %s", type(error).__name__, error)
        log.debug("traceback", exc_info=True)
        return 1
    return 0


def _load(options: argparse.Namespace) -> Worker:
    """Import the worker. Under ``--reload``, exit with a code that tells the reloader to wait."""
    try:
        return load_worker(options.worker)
    except Exception:
        if not options.reloaded:
            raise
        log.exception("%s cannot be imported", options.worker)
        sys.exit(NOT_LOADED)


def _run_reloading(options: argparse.Namespace) -> int:
    arguments = [options.worker, "--log-format", options.log_format]
    for name in ("concurrency", "health_port"):
        if (value := getattr(options, name)) is not None:
            arguments += [f"--{name.replace('_', '-')}", str(value)]
    try:
        return run_reloading(arguments, options.reload_dir)
    except ModuleNotFoundError as error:
        if error.name != "watchfiles":
            raise
        log.error("--reload needs watchfiles: pip install 'chaojiyuyan-worker[reload]'")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m chaojiyuyan_worker",
        description="Run a worker. SIGTERM or Ctrl-C finishes the running jobs; a second one stops"
        " it at once.",
    )
    parser.add_argument(
        "worker", metavar="module:worker", help="module and name of the Worker object"
    )
    parser.add_argument(
        "--concurrency", type=int, metavar="N", help="maximum number of running jobs"
    )
    parser.add_argument("--health-port", type=int, metavar="P", help="port for probes and metrics")
    parser.add_argument("--log-format", choices=["text", "json"], default="text")
    parser.add_argument(
        "--reload",
        action="store_true",
        help="restart when a *.py file here changes; needs the extra [reload]",
    )
    parser.add_argument(
        "--reload-dir", action="append", default=[], metavar="DIR", help="also watch this folder"
    )
    parser.add_argument("--reloaded", action="store_true", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
