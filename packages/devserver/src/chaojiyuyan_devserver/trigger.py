"""``chaojiyuyan dev trigger``: let a running kernel send webhooks."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from .folder import Folder, default_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

EVENTS = ("job.succeeded", "job.failed", "job.cancelled", "job.expired")


def trigger(argv: Sequence[str]) -> int:
    """Send a webhook, or list those that were sent.

    Args:
        argv: the arguments.

    Returns:
        0; 1 where no kernel runs or it has no such thing, with a line on standard error.
    """
    options = _parser().parse_args(argv)
    control = Folder(options.data).control
    if control is None:
        print(f"no kernel is running on {options.data}", file=sys.stderr)
        return 1
    url = httpx.URL(control["base_url"]).copy_with(path="/_control")
    headers = {"X-Control-Token": control["control_token"]}
    try:
        with httpx.Client(base_url=url, headers=headers, trust_env=False) as client:
            if options.what is None:
                answer = client.get("/deliveries")
            else:
                answer = client.post("/trigger", json={"what": options.what})
    except httpx.HTTPError as error:
        print(f"the kernel does not answer: {error}", file=sys.stderr)
        return 1
    if answer.is_error:
        print(answer.json()["detail"]["error"], file=sys.stderr)
        return 1
    for delivery in answer.json()["data"]:
        print(_line(delivery))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chaojiyuyan dev trigger",
        description="Let the running kernel send a webhook to the ready agent's account's endpoint,"
        " or list what it sent.",
    )
    parser.add_argument(
        "what",
        nargs="?",
        help="an event, for which a job of its own is made and ended so"
        f" ({', '.join(EVENTS)}); or the id of a delivery or of a job, to send that again;"
        " without it the newest deliveries are listed",
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", default=default_folder(), help="the kernel's folder"
    )
    return parser


def _line(delivery: dict[str, Any]) -> str:
    last = delivery["tries"][-1] if delivery["tries"] else {}
    outcome = last.get("status") or last.get("error") or ""
    return "  ".join(
        str(part) for part in (delivery["id"], delivery["event"], delivery["status"], outcome)
    ).rstrip()
