"""``python -m chaojiyuyan_worker module:worker``: what a container runs."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from typing import TYPE_CHECKING

from ._observe.logs import configure_logging
from .worker import Worker

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger("chaojiyuyan_worker")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a worker until SIGTERM or SIGINT; return the exit code.

    Args:
        argv: The arguments, ``sys.argv[1:]`` by default.

    Returns:
        0 when it was stopped and finished its running jobs, else 1.
    """
    options = _parser().parse_args(argv)
    configure_logging(options.log_format)
    try:
        worker = _load(options.worker)
        if options.concurrency is not None:
            worker.concurrency = options.concurrency
        if options.health_port is not None:
            from ._observe.probes import HealthServer

            server = HealthServer(worker.health, options.health_port)
            log.info("probes on port %d", server.port, extra={"port": server.port})
        worker.run()
    except Exception as error:
        # A traceback tells a programmer; a rejected key needs none.
        log.error("%s: %s", type(error).__name__, error)
        log.debug("traceback", exc_info=True)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m chaojiyuyan_worker",
        description="Run a worker. SIGTERM and Ctrl-C finish the running jobs; twice ends it.",
    )
    parser.add_argument("worker", metavar="module:worker", help="where the Worker is")
    parser.add_argument("--concurrency", type=int, metavar="N", help="jobs at a time")
    parser.add_argument("--health-port", type=int, metavar="P", help="serve /livez and /readyz")
    parser.add_argument("--log-format", choices=["text", "json"], default="text")
    return parser


def _load(place: str) -> Worker:
    """Import the worker.

    Args:
        place: ``package.module:attribute``.

    Raises:
        ValueError: There is no worker at that place.
    """
    module_name, _, attribute = place.partition(":")
    if not module_name or not attribute:
        raise ValueError(f"expected module:worker, such as my_package.jobs:worker, not {place!r}")
    if "" not in sys.path:
        sys.path.insert(0, "")
    module = importlib.import_module(module_name)
    found: object = module
    for name in attribute.split("."):
        found = getattr(found, name, None)
    if not isinstance(found, Worker):
        workers = [name for name, value in vars(module).items() if isinstance(value, Worker)]
        there = " or ".join(f"{module_name}:{name}" for name in workers) or "no Worker"
        kind = "missing" if found is None else f"of the type {type(found).__name__}"
        raise ValueError(f"expected a Worker, but {place} is {kind}; {module_name} has {there}")
    return found


if __name__ == "__main__":
    sys.exit(main())
