"""A driver that runs flows without I/O, for their tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from chaojiyuyan_core.http import Notify, Reply, Send

if TYPE_CHECKING:
    from chaojiyuyan_core.http import Flow


class Script:
    """Runs a flow with its own clock and the given responses."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.sleeps: list[float] = []
        self.sent: list[Send] = []

    def now(self) -> float:
        return self.time

    def play(self, flow: Flow[Any], *answers: object, each_takes: float = 0.0) -> Any:
        """Run the flow to its end; the last response is repeated if needed."""
        left = list(answers)
        answer: Any = None
        try:
            while True:
                step = flow.send(answer)
                if isinstance(step, Send):
                    self.sent.append(step)
                    self.time += each_takes
                    answer = as_reply(left.pop(0) if len(left) > 1 else left[0])
                elif isinstance(step, Notify):
                    step.listener(step.news)
                    answer = None
                else:
                    self.sleeps.append(round(step.seconds, 6))
                    self.time += step.seconds
                    answer = None
        except StopIteration as end:
            return end.value


def as_reply(answer: object) -> Reply:
    """Return a transport's result for a response or a fault."""
    if isinstance(answer, Exception):
        return Reply(fault=answer)
    if isinstance(answer, httpx.Response):
        return Reply(answer.status_code, answer.headers, answer.content)
    assert isinstance(answer, Reply)
    return answer
