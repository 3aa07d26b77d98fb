"""``chaojiyuyan dev trigger``, ``skip`` and ``snapshot``: commands for a running kernel."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._folder import Folder, default_folder, write_private

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import httpx

EVENTS = ("job.succeeded", "job.failed", "job.cancelled", "job.expired")
COMMANDS = ("trigger", "skip", "snapshot")
CONTROL_TOKEN = "CHAOJIYUYAN_DEVSERVER_CONTROL_TOKEN"  # noqa: S105 - the variable, not the token
"""The environment variable with the control token."""
CONTROL_TIMEOUT = 60.0
"""Seconds for connecting, writing and each read of a control request."""


class CommandError(Exception):
    """A command failed and changed nothing; the message, one line, says why."""


def run_command(argv: Sequence[str]) -> int:
    """Run a command against a running kernel and return the exit code.

    If no kernel runs or the kernel refuses, print one line on standard error and return 1.
    """
    given = _make_parser().parse_args(argv)
    try:
        with _connect(given) as client:
            given.run(client, given)
    except (CommandError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _make_parser() -> argparse.ArgumentParser:
    target = argparse.ArgumentParser(add_help=False)
    target.add_argument(
        "--data", type=Path, metavar="DIR", default=default_folder(), help="the kernel's folder"
    )
    target.add_argument("--url", help="the kernel's URL, instead of --data; needs --token")
    target.add_argument(
        "--token",
        default=os.environ.get(CONTROL_TOKEN),
        help=f"the token from the console's link; or set {CONTROL_TOKEN}",
    )
    parser = argparse.ArgumentParser(prog="chaojiyuyan dev")
    commands = parser.add_subparsers(required=True)

    def add(group: Any, name: str, run: Callable[..., None], text: str) -> argparse.ArgumentParser:
        command: argparse.ArgumentParser = group.add_parser(
            name, parents=[target], description=text
        )
        command.set_defaults(run=run)
        return command

    text = (
        "Make the running kernel send a webhook to the endpoint of the ready agent's account, or"
        " list the newest deliveries."
    )
    add(commands, "trigger", _trigger, text).add_argument(
        "what",
        nargs="?",
        help="an event, for which a job is created and ended"
        f" ({', '.join(EVENTS)}); or the id of a delivery or a job, to send its webhook again;"
        " without it, the newest deliveries are listed",
    )
    text = (
        "Move the running kernel's clock ahead. Leases, bid windows and timeouts that fall in that"
        " time end in order."
    )
    add(commands, "skip", _skip, text).add_argument(
        "seconds", type=_seconds, help="number of seconds; or 'next' for the next deadline"
    )
    text = "Save the whole state of the running kernel to a file, or load it."
    actions = commands.add_parser("snapshot", description=text).add_subparsers(required=True)
    text = (
        "Save a snapshot. Keep the file secret: it holds the ready agent's key and webhook secrets."
    )
    add(actions, "save", _save, text).add_argument("file", type=Path, help="the file to write")
    text = (
        "Replace the whole state of the running kernel with a snapshot. Its clock continues from"
        " when the snapshot was saved."
    )
    load = add(actions, "load", _load, text)
    load.add_argument("file", type=Path, help="the snapshot")
    load.add_argument(
        "--resume-webhooks",
        action="store_true",
        help="send the webhooks that were pending, instead of holding them",
    )
    return parser


def _seconds(text: str) -> float | None:
    if text == "next":
        return None
    seconds = float(text)
    if not 0 <= seconds < float("inf"):
        raise ValueError
    return seconds


def _connect(given: argparse.Namespace) -> httpx.Client:
    import httpx

    if given.url:
        if not given.token:
            raise CommandError("--url needs --token; the token is in the console's link.")
        url, token = given.url, given.token
    else:
        control = Folder(given.data).control
        if control is None:
            raise CommandError(
                f"no kernel is running on {given.data}. Set another folder with --data, or a"
                " kernel with --url and --token."
            )
        url, token = control["base_url"], control["control_token"]
    try:
        root = httpx.URL(url).copy_with(path="/_control", query=None)
        return httpx.Client(
            base_url=root,
            headers={"X-Control-Token": token},
            trust_env=False,
            timeout=CONTROL_TIMEOUT,
        )
    except (httpx.InvalidURL, UnicodeEncodeError) as error:
        raise CommandError(f"--url or --token is not valid: {error}") from None


def _ask(client: httpx.Client, method: str, path: str, **more: Any) -> httpx.Response:
    import httpx

    try:
        answer = client.request(method, path, **more)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise CommandError(f"the kernel does not answer: {error}") from None
    if answer.is_error:
        try:
            raise CommandError(answer.json()["detail"]["error"])
        except (ValueError, KeyError, TypeError):
            raise CommandError(f"the kernel answered {answer.status_code}") from None
    return answer


def _trigger(client: httpx.Client, given: argparse.Namespace) -> None:
    if given.what is None:
        answer = _ask(client, "GET", "/deliveries")
    else:
        answer = _ask(client, "POST", "/trigger", json={"what": given.what})
    for delivery in answer.json()["data"]:
        print(_describe(delivery))


def _describe(delivery: dict[str, Any]) -> str:
    last = delivery["tries"][-1] if delivery["tries"] else {}
    outcome = last.get("status") or last.get("error") or ""
    return "  ".join(
        str(part) for part in (delivery["id"], delivery["event"], delivery["status"], outcome)
    ).rstrip()


def _skip(client: httpx.Client, given: argparse.Namespace) -> None:
    data = _ask(client, "POST", "/skip", json={"seconds": given.seconds}).json()["data"]
    print(f"Skipped {data['seconds']:g} s; the kernel's time is {data['now']}.")


def _save(client: httpx.Client, given: argparse.Namespace) -> None:
    content = _ask(client, "GET", "/snapshot").content
    write_private(given.file, content)
    print(f"Saved {given.file} ({len(content):,} bytes). It holds keys: keep it private.")


def _load(client: httpx.Client, given: argparse.Namespace) -> None:
    query = {"resume_webhooks": given.resume_webhooks}
    content = given.file.read_bytes()
    data = _ask(client, "PUT", "/snapshot", content=content, params=query).json()["data"]
    counts = ", ".join(f"{count:,} {status}" for status, count in data["counts"].items() if count)
    print(f"Loaded {given.file}: {counts or 'no jobs'}.\n{data['api_key']}")
