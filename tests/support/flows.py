"""What the tests of flows need: a driver that plays them without I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chaojiyuyan_core.flow import Send

if TYPE_CHECKING:
    from chaojiyuyan_core.flow import Flow


class Script:
    """Plays the driver of a flow: a clock of its own, and the answers that it was given."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.sleeps: list[float] = []
        self.sent: list[Send] = []

    def now(self) -> float:
        return self.time

    def play(self, flow: Flow[Any], *answers: object, each_takes: float = 0.0) -> Any:
        """Run the flow to its end; the last answer is given again if it is needed."""
        left = list(answers)
        answer: Any = None
        try:
            while True:
                step = flow.send(answer)
                if isinstance(step, Send):
                    self.sent.append(step)
                    self.time += each_takes
                    answer = left.pop(0) if len(left) > 1 else left[0]
                else:
                    self.sleeps.append(round(step.seconds, 6))
                    self.time += step.seconds
                    answer = None
        except StopIteration as end:
            return end.value
