"""Internal threads that a fault does not end for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaojiyuyan_worker._observe.logger import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from .runtime import Runtime, Thread

log = get_logger(__name__)

RESTART_PAUSE = 1.0
"""Seconds from a fault of an internal thread to its next start."""


class Service:
    """A body that runs on a thread of its own, and runs again when it raises.

    Attributes:
        name: The name of the thread.
        problem: Why the body does not run at present; None while it runs or has returned.
        returned: Whether the body has returned.
    """

    def __init__(self, runtime: Runtime, name: str, body: Callable[[], object]) -> None:
        self.name = name
        self.problem: str | None = "not started"
        self.returned = False
        self._runtime = runtime
        self._body = body
        self._thread: Thread | None = None
        self._starting = runtime.lock()

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def ensure(self) -> None:
        """Start the thread unless it runs or has done its work."""
        if self.returned or self.is_alive:
            return
        with self._starting:
            if self.returned or self.is_alive:
                return
            self.problem = None
            try:
                self._thread = self._runtime.start(self._serve, name=self.name)
            except Exception as error:  # noqa: BLE001 - it is tried again, whatever it is
                self.problem = f"{self.name} cannot be started: {error}"
                log.error("%s", self.problem)

    def join(self, timeout: float) -> None:
        """Wait until the thread has ended, at most ``timeout`` seconds."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _serve(self) -> None:
        while not self.returned:
            self._run_body()

    def _run_body(self) -> None:
        try:
            self._body()
            self.returned = True
        except BaseException as error:
            self.problem = f"{self.name} failed: {type(error).__name__}: {error}"
            log.exception("%s", self.problem)
            self._runtime.sleep(RESTART_PAUSE)
            self.problem = None


class Supervisor:
    """Keeps services running. Whoever has a moment calls :meth:`check`, from any thread.

    Args:
        runtime: Starts the threads.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lock = runtime.lock()
        self._services: list[Service] = []

    def add(self, name: str, body: Callable[[], object]) -> Service:
        """Have a body run on a thread from the next check on, until it returns.

        Args:
            name: The name of the thread.
            body: What it runs; it is called again when it raises.
        """
        service = Service(self._runtime, name, body)
        with self._lock:
            self._services.append(service)
        return service

    def check(self) -> bool:
        """Start the services that do not run; return whether all of them do now."""
        with self._lock:
            for service in self._services:
                service.ensure()
            return not any(service.problem for service in self._services)

    @property
    def problems(self) -> list[str]:
        """What does not work at present, a text each."""
        with self._lock:
            return [service.problem for service in self._services if service.problem]
