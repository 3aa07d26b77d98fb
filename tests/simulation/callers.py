"""The caller of a simulation: creates jobs with the client's flows and waits for them."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import httpx

from chaojiyuyan_client._polling import SharedPolling
from chaojiyuyan_client.waiting import wait_for_job
from chaojiyuyan_core import api
from chaojiyuyan_core.errors import HebingError, JobTimeout
from chaojiyuyan_core.http import Retry, exchange, run
from chaojiyuyan_core.models import TERMINAL_JOB_STATUSES

from .network import SimWire
from .runtime import SimRuntime
from .scheduler import Process

if TYPE_CHECKING:
    from .world import World

RETRY = Retry(max_retries=4)
"""The maximum number of times that the caller repeats a call."""

MAX_LATENESS = 0.5
"""Seconds by which a wait may exceed its timeout."""


class Caller:
    """A process that creates jobs and waits for them, with a thread for each job.

    Args:
        world: The simulated world.
        key: The caller's agent key.

    Attributes:
        orders: The number of started orders.
    """

    def __init__(self, world: World, key: str) -> None:
        self._world = world
        self._scheduler = world.scheduler
        self._key = key
        self.process = Process("caller")
        seed = f"{world.plan.seed} caller"
        self._random = Random(f"orders {seed}")
        self._runtime = SimRuntime(world.scheduler, self.process, seed)
        self._polling = SharedPolling(self._runtime.clock)
        world.network.observer.of(self.process).budget = 40
        self.orders = 0

    @property
    def is_done(self) -> bool:
        """Whether the wait for every order has ended."""
        return not self.process.living()

    def order(self, capability: str) -> None:
        """Start an order."""
        self.orders += 1
        number = self.orders
        name = f"order-{number}"
        self._scheduler.spawn(self.process, name, lambda: self._order(capability, number))

    def _order(self, capability: str, number: int) -> None:
        wire = SimWire(self._world.network, self.process, self._key)
        try:
            call = api.create_job(capability, {"n": number}, idempotency_key=f"order {number}")
            flow = exchange(call, RETRY, draw=self._runtime.random)
            job = run(flow, wire, sleep=self._runtime.sleep).value(call)
            self._wait(job["id"], wire)
        except (HebingError, httpx.HTTPError) as error:
            self._scheduler.note(f"order {number} failed: {error}")
        finally:
            wire.close()

    def _wait(self, job_id: str, wire: SimWire) -> None:
        scheduler = self._scheduler
        timeout = 1.0 + self._random.random() * 120.0
        began = scheduler.now
        try:
            flow = wait_for_job(
                job_id,
                timeout=timeout,
                poll_interval=3.0,
                retry=RETRY,
                now=self._runtime.clock,
                polling=self._polling,
                draw=self._runtime.random,
            )
            job = run(flow, wire, sleep=self._runtime.sleep)
        except JobTimeout:
            scheduler.note(f"waited {timeout:.1f} s for {job_id}")
        else:
            scheduler.note(f"{job_id} is {job['status']}")
            if job["id"] != job_id or job["status"] not in TERMINAL_JOB_STATUSES:
                scheduler.violate(f"a wait for {job_id} returned {job['id']}, {job['status']}")
        late = scheduler.now - began - timeout
        if late > MAX_LATENESS:
            scheduler.violate(f"a wait for {job_id} ended {late:.2f} s after its timeout")
