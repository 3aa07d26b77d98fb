"""The network of a simulation: delivers requests to the platform, with faults."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from email.utils import format_datetime
from random import Random
from typing import TYPE_CHECKING, Any

from .observer import Observer
from .replies import fault_reply, http_reply
from .server import EPOCH, Answer, Request
from .weather import FAULTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaojiyuyan_core.api import Call
    from chaojiyuyan_core.http import Reply

    from .scheduler import Process, Scheduler, SimThread
    from .server import Platform
    from .weather import Weather

HTML = b"<html><head><title>502 Bad Gateway</title></head></html>"


class Network:
    """Delivers requests to the platform, with the weather's faults until ``calm_at``.

    Args:
        scheduler: The scheduler, for the time and the messages.
        platform: The platform.
        weather: The probability of each fault.
        calm_at: Virtual time from which there are no faults.
        seed: The seed of the faults.
        shared_key: The workers share a key. Then the response that ends an attempt for its invalid
            outputs always arrives, and a proxy never sends a submit twice. Otherwise a worker
            could lose its lease without being able to know it, and the API could not distinguish
            its heartbeats from those of the next worker; see ``docs/guarantees.md``.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        platform: Platform,
        weather: Weather,
        calm_at: float,
        seed: str,
        *,
        shared_key: bool,
    ) -> None:
        self.scheduler = scheduler
        self.platform = platform
        self.weather = weather
        self.calm_at = calm_at
        self.shared_key = shared_key
        self.random = Random(f"network {seed}")
        self.observer = Observer(scheduler, weather)
        self.messages = 0
        self.down_until = 0.0
        self.faults_seen: dict[str, int] = {}

    def fault(self, request: Request) -> str | None:
        """Draw the fault of an exchange, or None."""
        if self.scheduler.now >= self.calm_at:
            return None
        drawn = self.random.random()
        for name in FAULTS:
            likelihood = getattr(self.weather, name)
            if drawn < likelihood:
                if name == "duplicated" and request.kind == "submit" and self.shared_key:
                    return None
                self.faults_seen[name] = self.faults_seen.get(name, 0) + 1
                return name
            drawn -= likelihood
        return None

    def latency(self) -> float:
        """Draw the seconds that one message takes."""
        return self.random.random() * self.weather.latency

    def date(self) -> str | None:
        """Return the ``Date`` header of a response sent now, in the format of RFC 9110."""
        offset = self.weather.date
        if offset is None:
            return None
        moment = datetime.fromtimestamp(int(EPOCH + self.scheduler.now + offset), timezone.utc)
        return format_datetime(moment, usegmt=True)


class SimWire:
    """The wire of one thread of a simulated process.

    Args:
        network: The network.
        process: The sending process.
        key: The agent key.
    """

    def __init__(self, network: Network, process: Process, key: str) -> None:
        self._network = network
        self._process = process
        self._key = key
        self._is_open = True
        self._sending: tuple[SimThread, int] | None = None
        network.observer.of(process).open_wires += 1

    def close(self) -> None:
        """Close the wire; a second call does nothing."""
        if self._is_open:
            self._is_open = False
            self._network.observer.of(self._process).open_wires -= 1

    def abort(self) -> None:
        """Abort the current call, from another thread."""
        if self._sending is not None:
            self._network.scheduler.wake(*self._sending, "reset")

    def send(self, call: Call[Any], timeout: float | None = None) -> Reply:
        """Send a call once.

        Args:
            call: The call.
            timeout: Total timeout in seconds.
        """
        network, scheduler = self._network, self._network.scheduler
        process = self._process
        request = Request(
            call.method,
            call.path,
            dict(call.query or {}),
            None if call.body is None else json.loads(json.dumps(call.body)),
            call.wait,
            self._key,
            process.name,
        )
        scheduler.maybe_switch()
        limit = 30.0 + (call.wait or 0.0) if timeout is None else timeout
        if limit <= 0:
            return fault_reply("timeout")
        network.messages += 1
        network.observer.check_sending(process, request)
        sent = scheduler.now
        deadline = sent + limit
        me = scheduler.me()
        token = me.token + 1
        fault = network.fault(request)
        scheduler.note(
            f"> {request.kind} {request.path.split('/')[-2] if request.run else ''} {fault or ''}"
        )

        def hear(answer: Answer | None) -> None:
            if answer is not None and process.alive and me.token == token:
                network.observer.learn(process, request, sent, answer)
            scheduler.wake(me, token, answer or "reset")

        self._carry(request, fault, hear)
        self._sending = (me, token)
        answer = scheduler.park(deadline)
        self._sending = None
        if not isinstance(answer, Answer):
            network.observer.miss(process, request)
        if answer is None:
            scheduler.note(f"< {request.kind}: no answer in {limit:.1f} s")
            return fault_reply("timeout")
        if answer == "reset" or not isinstance(answer, Answer):
            scheduler.note(f"< {request.kind}: {answer}")
            return fault_reply(str(answer))
        scheduler.note(f"< {request.kind}: {answer.status} {_brief(answer)}")
        return http_reply(answer, network.date())

    def _carry(
        self, request: Request, fault: str | None, hear: Callable[[Answer | None], object]
    ) -> None:
        """Deliver a request, apply its fault, and return the response."""
        network, scheduler = self._network, self._network.scheduler
        arrival = scheduler.now + network.latency()

        def answered(answer: Answer) -> None:
            back = scheduler.now + network.latency()
            if fault == "reset" and not self._must_arrive(answer):
                scheduler.at(back, lambda: hear(None))
            elif fault != "lost_answer" or self._must_arrive(answer):
                extra = 0.0 if self._must_arrive(answer) else self._delay(fault)
                scheduler.at(back + extra, lambda: hear(answer))

        def arrive() -> None:
            if scheduler.now < network.down_until:
                hear(None)
                return
            network.platform.handle(request, answered)
            if fault == "duplicated":
                network.platform.handle(request, lambda _: None)

        if fault == "lost_request":
            return
        if fault in ("refused", "partial"):
            scheduler.at(arrival, lambda: hear(None))
        elif fault in ("unavailable", "throttled", "page"):
            answer = self._proxy_answer(fault)
            scheduler.at(arrival + network.latency(), lambda: hear(answer))
        else:
            scheduler.at(arrival, arrive)

    def _must_arrive(self, answer: Answer) -> bool:
        """Return whether only this response can tell the worker that its attempt has ended."""
        body = answer.body
        ends_lease = isinstance(body, dict) and body.get("settled") is False
        return ends_lease and self._network.shared_key

    def _delay(self, fault: str | None) -> float:
        """Draw the additional delay of a response, in seconds."""
        if fault == "slow_answer":
            return self._network.random.random() * 40.0
        if fault == "dripped":
            return 20.0 + self._network.random.random() * 200.0
        return 0.0

    def _proxy_answer(self, fault: str) -> Answer:
        draw = self._network.random.random
        if fault == "page":
            statuses = (200, 401, 403, 404, 410, 413, 502)
            return Answer(statuses[int(draw() * len(statuses))], HTML)
        headers = {"Retry-After": str(int(draw() * 5))} if draw() < 0.5 else {}
        if fault == "throttled":
            return Answer(429, {"detail": {"error": "slow down", "code": "rate_limited"}}, headers)
        return Answer((500, 502, 503)[int(draw() * 3)], {"detail": "try later"}, headers)


def _brief(answer: Answer) -> str:
    body = answer.body
    if not isinstance(body, dict):
        return "a page"
    detail = body.get("detail")
    if isinstance(detail, dict):
        return str(detail.get("code"))
    for name in ("accepted", "settled", "lease_expires_at", "status"):
        if name in body:
            return f"{name}={body[name]}"
    return f"{len(body.get('jobs', []))} jobs" if "jobs" in body else ""
