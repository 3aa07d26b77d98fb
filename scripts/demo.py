"""An end-to-end demo: log in, send a file to a job, let a worker settle it, receive the webhook.

The local kernel and the worker are separate processes that communicate over HTTP. At the end no
process is left, and nothing was written except a temporary folder.
"""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

import httpx

from chaojiyuyan_client import Job, NexusClient
from chaojiyuyan_core.errors import HebingError, JobTimeout, WebhookVerificationError
from chaojiyuyan_core.times import parse_iso
from chaojiyuyan_core.webhooks import unwrap_webhook
from chaojiyuyan_devserver.testing import LocalKernel

ROOT = Path(__file__).parent.parent
WEBHOOK_SECRET = "whsec_demo"
PATIENCE = 30.0  # seconds for each step


class DemoError(Exception):
    """The demo cannot continue; the message is for the user."""


def main(argv: list[str]) -> int:
    if len(argv) > 1 or argv[:1] in (["-h"], ["--help"]):
        print("usage: ./scripts/demo [FILE]    (a text file; the README by default)")
        return 0 if argv[:1] in (["-h"], ["--help"]) else 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        path = Path(argv[0]) if argv else ROOT / "README.md"
        run(path, read_text(path))
    except (DemoError, HebingError, httpx.HTTPError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: stopped", file=sys.stderr)
        return 130
    return 0


def read_text(path: Path) -> str:
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise DemoError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DemoError(f"{path} is not a text file in UTF-8") from None
    if "\0" in text:
        raise DemoError(f"{path} is not a text file: it contains NUL bytes")
    return text


def run(path: Path, text: str) -> None:
    started = time.monotonic()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="chaojiyuyan-demo-"))
        receiver = stack.enter_context(webhook_receiver())
        local = stack.enter_context(kernel(folder, receiver.url))
        say("kernel", f"the local kernel serves {local.base_url}")

        api_key = log_in(local)
        say("login", "approved; the caller has its own key")

        stack.enter_context(worker(folder, local))
        say("worker", "a worker process handles text.digest.v1")

        with NexusClient(api_key, local.base_url) as client:
            job = client.call("text.digest.v1", {"text": text, "filename": path.name})
            say("call", f"job {job.id} posted on {path.name} ({len(text.encode()):,} bytes)")
            output = job.result(timeout=PATIENCE)
            print(json.dumps(output, indent=2, ensure_ascii=False))
            say("timeline", "the events of the job")
            print_timeline(client, job)

        event = receiver.wait_for(job.id)
        say("webhook", f"{event['event']} arrived, its signature is right")
    say("done", f"{time.monotonic() - started:.1f} s; kernel and worker have ended")


def say(step: str, text: str) -> None:
    print(f"\033[1m{step:>9}\033[0m  {text}" if sys.stdout.isatty() else f"{step:>9}  {text}")
    sys.stdout.flush()


def print_timeline(client: NexusClient, job: Job) -> None:
    first = None
    for event in client.job_events(job.id):
        at = parse_iso(event.get("created_at"))
        if at is None:
            continue
        first = first or at
        print(f"{(at - first).total_seconds() * 1000:9.0f} ms  {event.get('event_type')}")


# --- processes -----------------------------------------------------------------------------------


@contextmanager
def kernel(folder: str, webhook_url: str) -> Iterator[LocalKernel]:
    """Run the local kernel with the webhook until the block ends."""
    local = LocalKernel(Path(folder) / "kernel")
    try:
        try:
            local.start().configure_webhook(webhook_url, WEBHOOK_SECRET)
        except RuntimeError as error:
            raise DemoError(error) from None
        yield local
    finally:
        local.stop()


@contextmanager
def worker(folder: str, local: LocalKernel) -> Iterator[None]:
    """Run the worker process, with its log in a file, until the block ends."""
    with Path(folder, "worker.log").open("w+") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "chaojiyuyan_worker", "digest_worker:worker"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={
                **os.environ,
                "CHAOJIYUYAN_API_KEY": local.api_key,
                "HEBING_BASE_URL": local.base_url,
                "PYTHONPATH": str(ROOT / "examples"),
            },
            start_new_session=True,  # a Ctrl-C reaches only the demo, which stops it in order
        )
        try:
            yield
        except JobTimeout as error:
            log.seek(0)
            raise DemoError(f"{error}; the worker says:\n{log.read()}") from None
        finally:
            child.terminate()
            child.wait(PATIENCE)


# --- the approval, like a person in the browser --------------------------------------------------


def log_in(kernel: LocalKernel) -> str:
    """Log in with the device flow; submit the approval page's form over HTTP."""
    failures: queue.Queue[Exception] = queue.Queue()

    def show(line: str) -> None:
        print(f"{'':11}{line}", flush=True)
        link = re.search(r"https?://\S+", line)
        if link:
            threading.Thread(target=press, args=(link.group(),), daemon=True).start()

    def press(url: str) -> None:
        try:
            approve(kernel.console_url, url)
        except (DemoError, httpx.HTTPError) as error:
            failures.put(error)

    try:
        with NexusClient.login_device_flow(
            base_url=kernel.base_url,
            client_name="demo",
            timeout=PATIENCE,
            print_fn=show,
            save=False,
        ) as client:
            return client.api_key
    except HebingError:
        if not failures.empty():
            raise failures.get() from None
        raise


def approve(console: str, url: str) -> None:
    """Open the console, open the approval page and submit its form with the approve button."""
    with httpx.Client(follow_redirects=True, timeout=10) as browser:
        browser.get(console).raise_for_status()
        page = browser.get(url)
        page.raise_for_status()
        form = Form(page.text)
        answer = browser.post(urljoin(str(page.url), form.action), data=form.fields)
        answer.raise_for_status()


class Form(HTMLParser):
    """Finds the first form of a page: its action, its fields, and its first button."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}
        self._open = False
        self._pressed = False
        self.feed(page)
        if self.action is None:
            raise DemoError("the approval page has no form")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes: Mapping[str, str | None] = dict(attrs)
        if tag == "form" and self.action is None:
            self.action, self._open = attributes.get("action") or "", True
        name = attributes.get("name")
        button = tag == "button" or attributes.get("type") == "submit"
        if not self._open or not name or tag not in ("input", "button"):
            return
        if button and self._pressed:
            return
        self._pressed = self._pressed or button
        self.fields[name] = attributes.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = False


# --- the webhook ---------------------------------------------------------------------------------


class Receiver:
    """The received events, verified."""

    def __init__(self) -> None:
        self.arrived: queue.Queue[dict[str, object] | WebhookVerificationError] = queue.Queue()
        self.url = ""

    def take(self, body: bytes, headers: Mapping[str, str]) -> None:
        try:
            self.arrived.put(dict(unwrap_webhook(body, headers, WEBHOOK_SECRET)))
        except WebhookVerificationError as error:
            self.arrived.put(error)

    def wait_for(self, job_id: str) -> dict[str, object]:
        """Return the first event of a job."""
        deadline = time.monotonic() + PATIENCE
        while (left := deadline - time.monotonic()) > 0:
            try:
                event = self.arrived.get(timeout=left)
            except queue.Empty:
                break
            if isinstance(event, WebhookVerificationError):
                raise event
            job = event.get("job")
            if isinstance(job, dict) and job.get("id") == job_id:
                return event
        raise DemoError(f"no webhook arrived for job {job_id} within {PATIENCE:g} s")


@contextmanager
def webhook_receiver() -> Iterator[Receiver]:
    """Listen for webhooks on a free port of this machine."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", 0))
            receiver.take(self.rfile.read(length), dict(self.headers.items()))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}/webhook"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield receiver
        finally:
            server.shutdown()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
