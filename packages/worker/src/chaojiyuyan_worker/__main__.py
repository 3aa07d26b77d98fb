"""``python -m chaojiyuyan_worker module:worker``: what a container runs."""

from __future__ import annotations

import argparse
import logging
import sys
from typing import TYPE_CHECKING

from ._observe.logs import configure_logging
from ._run.loading import load_worker

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
        worker = load_worker(options.worker)
        if options.concurrency is not None:
            worker.concurrency = options.concurrency
        if options.health_port is not None:
            from ._observe.probes import HealthServer

            server = HealthServer(worker.health, worker.metrics, options.health_port)
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
    parser.add_argument("--health-port", type=int, metavar="P", help="serve probes and metrics")
    parser.add_argument("--log-format", choices=["text", "json"], default="text")
    return parser


if __name__ == "__main__":
    sys.exit(main())
