"""Start and control a local kernel in its own process, for tests."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, cast

import httpx

from ._commands import CONTROL_TOKEN
from ._folder import write_private

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Json = dict[str, Any]
_START_TIMEOUT = 60.0
"""Seconds within which a started kernel must serve; then it is killed."""


@dataclass(frozen=True)
class AgentHandle:
    """An agent of the kernel: its id, its account and its key."""

    id: str
    account_id: str
    api_key: str


class LocalKernel:
    """A local kernel, ``python -m chaojiyuyan_devserver``, as a context manager.

    Args:
        folder: The folder for its database and its log, ``kernel.log``; created if it does not
            exist.
        **flags: Command-line flags, with underscores for dashes: True for a flag without a value,
            a list for a repeated flag. ``port`` and ``data`` are set by this class.

    Attributes:
        base_url: The base URL, for example ``http://127.0.0.1:40123/api/v1``; the same after a
            restart.
        api_key: The ready agent's key; the same after a restart.
    """

    def __init__(self, folder: Path, **flags: object) -> None:
        self.folder = folder
        self.base_url = ""
        self.api_key = ""
        self._flags = flags
        self._port = 0
        self._token = secrets.token_urlsafe(24)
        self._process: subprocess.Popen[str] | None = None
        self._control: httpx.Client | None = None

    # -- the process -----------------------------------------------------------------------------

    def start(self) -> LocalKernel:
        """Start the process and return once it serves.

        Raises:
            RuntimeError: The process ended or did not serve in time; the message contains its log.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "chaojiyuyan_devserver", "--port", str(self._port)]
        command += [] if self._flags.get("ephemeral") else ["--data", str(self.folder)]
        for name, value in self._flags.items():
            flag = "--" + name.replace("_", "-")
            for item in value if isinstance(value, list) else [value]:
                command += [flag] if item is True else [flag, str(item)]
        environment = {**os.environ, CONTROL_TOKEN: self._token}
        log = self.folder / "kernel.log"
        with log.open("ab") as errors:
            logged = errors.tell()
            process = subprocess.Popen(  # noqa: S603 - our own module
                command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
            )
        self._process = process  # set first, so that a Ctrl-C during the start ends it
        watchdog = threading.Timer(_START_TIMEOUT, process.kill)
        watchdog.start()
        try:
            with cast("IO[str]", process.stdout) as printed:
                self.base_url = printed.readline().strip()
                self.api_key = printed.readline().strip()
        finally:
            watchdog.cancel()
            watchdog.join()
        if not self.api_key:
            text = log.read_bytes()[logged:].decode(errors="replace")[-2000:]
            raise RuntimeError(f"the kernel exited with code {process.wait()}: {text}")
        url = httpx.URL(self.base_url)
        self._port = url.port or 0
        self._control = httpx.Client(
            base_url=url.copy_with(path="/_control"),
            headers={"X-Control-Token": self._token},
            trust_env=False,
            timeout=30,
        )
        return self

    @property
    def console_url(self) -> str:
        """The console's URL with its token, which the browser stores as a cookie."""
        token = self._send("GET", "/console")["token"]
        root = self.base_url.removesuffix("/api/v1")
        return f"{root}/?token={token}" if token else f"{root}/"

    @property
    def pid(self) -> int:
        """The process id.

        Raises:
            RuntimeError: The kernel is not running.
        """
        if self._process is None:
            raise RuntimeError("the kernel is not running")
        return self._process.pid

    def stop(self) -> int | None:
        """Stop the process with SIGTERM and return its exit code, or None if it was not running."""
        return self._end(subprocess.Popen.terminate)

    def kill(self) -> int | None:
        """Kill the process with SIGKILL, like a crash, and return its exit code; the data stays."""
        return self._end(subprocess.Popen.kill)

    def restart(self) -> LocalKernel:
        """Stop the process if it runs, and start it with the same data and port."""
        self.stop()
        return self.start()

    def ensure_running(self) -> None:
        """Start the process again if it has ended."""
        if self._process is None or self._process.poll() is not None:
            self.restart()

    def __enter__(self) -> LocalKernel:
        """Start the kernel."""
        return self.start()

    def __exit__(self, *error: object) -> None:
        """Stop the kernel."""
        self.stop()

    def _end(self, signal: Callable[[subprocess.Popen[str]], None]) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        if self._control is not None:
            self._control.close()
            self._control = None
        signal(process)
        try:
            return process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    # -- clients and agents ----------------------------------------------------------------------

    def client(self, api_key: str | None = None) -> httpx.Client:
        """Return an ``httpx.Client`` with the base URL and a key, by default the ready agent's."""
        return httpx.Client(
            base_url=self.base_url,
            headers={"Authorization": f"Bearer {api_key or self.api_key}"},
            trust_env=False,
            timeout=90,
        )

    def new_agent(self, name: str = "agent", *, balance_nc: int = 1_000_000) -> AgentHandle:
        """Create an agent with a new account and this balance, in nc."""
        made = self._send("POST", "/agents", name=name, balance_nc=balance_nc)
        return AgentHandle(made["id"], made["account_id"], made["api_key"])

    def me(self) -> AgentHandle:
        """Return the ready agent."""
        me = self._send("GET", "/agents/ready")
        return AgentHandle(me["id"], me["account_id"], self.api_key)

    def balance(self, account_id: str | None = None) -> Json:
        """Return ``available_nc`` and ``held_nc`` of an account, by default the ready agent's."""
        return self._send("GET", f"/accounts/{account_id or self.me().account_id}")

    # -- time, faults and state ------------------------------------------------------------------

    def reset(self) -> None:
        """Delete everything except the ready agent and its key; reset its balance."""
        self._send("POST", "/reset")

    def skip(self, seconds: float | None = None) -> float:
        """Move the kernel's clock ahead. Deadlines in that time take effect in order.

        Args:
            seconds: How far, in seconds; by default to the next deadline of a job or a webhook.

        Returns:
            The seconds that were skipped.

        Raises:
            RuntimeError: There is no deadline.
        """
        return float(self._send("POST", "/skip", seconds=seconds)["seconds"])

    def save_snapshot(self, path: Path) -> None:
        """Save the kernel's whole state to a file that only this user can read."""
        write_private(path, self._answer("GET", "/snapshot").content)

    def load_snapshot(self, path: Path, *, resume_webhooks: bool = False) -> None:
        """Replace the whole state with a snapshot; ``api_key`` becomes its ready agent's key.

        Args:
            path: The snapshot's file.
            resume_webhooks: Send the webhooks that were pending, instead of holding them.

        Raises:
            RuntimeError: The file is not a snapshot for this kernel. Nothing was changed.
        """
        query = {"resume_webhooks": resume_webhooks}
        answer = self._answer("PUT", "/snapshot", content=path.read_bytes(), params=query)
        self.api_key = answer.json()["data"]["api_key"]

    def approve_login(self, user_code: str) -> None:
        """Approve a device login."""
        self._send("POST", f"/logins/{user_code}", approve=True)

    def deny_login(self, user_code: str) -> None:
        """Deny a device login."""
        self._send("POST", f"/logins/{user_code}", approve=False)

    def configure_webhook(self, url: str, secret: str, account_id: str | None = None) -> None:
        """Send the events of an account, by default the ready agent's, to this URL."""
        path = f"/accounts/{account_id or self.me().account_id}/webhook"
        self._send("PUT", path, url=url, secret=secret)

    def set_faults(self, faults: list[str]) -> None:
        """Make requests fail: ``["submit=503@1", "heartbeat=drop-after@10%", "get=delay:2s"]``.

        A fault is an endpoint (``create``, ``get``, ``list``, ``events``, ``catalog``,
        ``register``, ``available``, ``bid``, ``heartbeat``, ``submit``, ``authorize``, ``token``,
        or ``any``), an effect (an HTTP status, ``drop-before``, ``drop-after``,
        ``delay:<seconds>s``, ``junk``, ``html``, or ``expire-lease`` for ``heartbeat`` and
        ``submit``), and optionally ``@`` with the number of the only request, counted from now, or
        with the share of requests to which it applies. The name of a preset is a fault as well.
        """
        self._send("PUT", "/faults", faults=faults)

    def clear_faults(self) -> None:
        """Remove all faults."""
        self.set_faults([])

    def rotate_webhook(self, secret: str, grace: float, account_id: str | None = None) -> None:
        """Sign with a new secret; the old one is accepted for another ``grace`` seconds."""
        path = f"/accounts/{account_id or self.me().account_id}/webhook/rotate"
        self._send("POST", path, secret=secret, grace=grace)

    def deliveries(self) -> list[Json]:
        """Return the newest webhook deliveries, newest first, each with its ``tries``."""
        return cast("list[Json]", self._send("GET", "/deliveries"))

    def trigger(self, what: str) -> list[Json]:
        """Send a webhook: of an event such as ``job.failed``, or again by delivery or job id."""
        return cast("list[Json]", self._send("POST", "/trigger", what=what))

    # -- jobs ------------------------------------------------------------------------------------

    def job(self, job_id: str) -> Json:
        """Return a job with its ``events``, ``transfers`` and number of ``settlements``."""
        return self._send("GET", f"/jobs/{job_id}")

    def expire_lease(self, job_id: str) -> None:
        """End a running job's lease now: the job is offered again, or fails at its last attempt."""
        self._send("POST", f"/jobs/{job_id}/expire-lease")

    def settle(self, job_id: str, output: Json, artifacts: list[Json] | None = None) -> None:
        """End a job as succeeded with this output, whether or not a worker has it."""
        self._send("POST", f"/jobs/{job_id}/settle", output=output, artifacts=artifacts or [])

    def fail(self, job_id: str, code: str = "worker_failed", message: str = "failed") -> None:
        """End a job as failed, with this error code and message."""
        self._send("POST", f"/jobs/{job_id}/fail", code=code, message=message)

    def cancel(self, job_id: str) -> None:
        """Cancel a job."""
        self._send("POST", f"/jobs/{job_id}/cancel")

    # -- control requests ------------------------------------------------------------------------

    def _send(self, method: str, path: str, **body: object) -> Json:
        data: Json = self._answer(method, path, json=body).json()["data"]
        return data

    def _answer(self, method: str, path: str, **more: Any) -> httpx.Response:
        if self._control is None:
            raise RuntimeError("the kernel is not running")
        answer = self._control.request(method, path, **more)
        if answer.is_error:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer
