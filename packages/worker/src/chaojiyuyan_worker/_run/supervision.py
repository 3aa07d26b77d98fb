"""Internal threads that are restarted after an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaojiyuyan_worker._observe.logger import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from .runtime import Runtime, Thread

log = get_logger(__name__)

RESTART_PAUSE = 1.0
"""Seconds before a failed internal thread runs again."""


class Service:
    """A function that runs on its own thread, and is called again when it raises.

    Attributes:
        name: The name of the thread.
        problem: Why the function does not run now; None while it runs or after it returned.
        returned: Whether the function has returned.
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
        """Start the thread, unless it is running or its function has returned."""
        if self.returned or self.is_alive:
            return
        with self._starting:
            if self.returned or self.is_alive:
                return
            self.problem = None
            try:
                self._thread = self._runtime.start(self._serve, name=self.name)
            except Exception as error:  # noqa: BLE001 - it is retried after any error
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
    """Keeps services running. Other threads call :meth:`check` regularly.

    Args:
        runtime: Starts the threads.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lock = runtime.lock()
        self._services: list[Service] = []

    def add(self, name: str, body: Callable[[], object]) -> Service:
        """Add a service, which starts at the next check and runs until it returns.

        Args:
            name: The name of the thread.
            body: The function, which is called again when it raises.
        """
        service = Service(self._runtime, name, body)
        with self._lock:
            self._services.append(service)
        return service

    def check(self) -> bool:
        """Start the services that are not running, and return whether all of them run now."""
        with self._lock:
            for service in self._services:
                service.ensure()
            return not any(service.problem for service in self._services)

    @property
    def problems(self) -> list[str]:
        """The present problems, one string each."""
        with self._lock:
            return [service.problem for service in self._services if service.problem]
