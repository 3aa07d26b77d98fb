"""Wires that answer with a test's replies, without a network."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from .replies import after, data

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaojiyuyan_core.http import Reply


class FakeWire:
    """Answers each call by the last segment of its path, and records the calls.

    An answer is a reply; a list of replies, of which the last is repeated; or a function from the
    call to a reply.
    """

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = {
            "capabilities": data(registered=[], skipped_unknown=[]),
            "available": data(jobs=[]),
            "bid": data(accepted=True, task_run_id="run-1", lease_expires_at=after(30)),
            "heartbeat": data(lease_expires_at=after(30)),
            "submit": data(settled=True),
            **answers,
        }
        self.sent: dict[str, list[Any]] = defaultdict(list)
        self.timeouts: dict[str, list[float | None]] = defaultdict(list)
        self.changed = threading.Condition()
        self.closed = False
        self.aborted = threading.Event()

    def send(self, call: Any, timeout: float | None = None) -> Reply:
        endpoint = call.path.rsplit("/", 1)[-1]
        with self.changed:
            self.sent[endpoint].append(call)
            self.timeouts[endpoint].append(timeout)
            answer = self.answers[endpoint]
            if isinstance(answer, list):
                answer = answer.pop(0) if len(answer) > 1 else answer[0]
            self.changed.notify_all()
        return answer(call) if callable(answer) else answer

    def abort(self) -> None:
        self.aborted.set()

    def close(self) -> None:
        self.closed = True

    def count(self, endpoint: str, job_id: str | None = None) -> int:
        """Return the number of calls to an endpoint, for one job or for all."""
        calls = self.sent[endpoint]
        return sum(job_id is None or f"/{job_id}/" in call.path for call in calls)

    def wait(self, endpoint: str, count: int, job_id: str | None = None) -> None:
        """Wait until this number of calls was sent."""
        with self.changed:
            done: Callable[[], bool] = lambda: self.count(endpoint, job_id) >= count  # noqa: E731
            assert self.changed.wait_for(done, 10), (endpoint, dict(self.sent))
