"""Planted bugs: small changes of the worker's source that the simulator must find.

Each is a realistic mistake: a forgotten margin, a missing wake-up, a slot that is not released. If
the worker's source changes and no longer contains the text of a plant, the plant must be updated.
"""

from __future__ import annotations

from .instrument import Plant

_RUN = "chaojiyuyan_worker._run"

_ALL = [
    Plant(
        "no lease margin",
        "chaojiyuyan_core.answers",
        "return min(length, MAX_LEASE_SECONDS) - LEASE_MARGIN",
        "return min(length, MAX_LEASE_SECONDS)",
        seed=206,
    ),
    Plant(
        "a lease as long as the Date says",
        "chaojiyuyan_core.answers",
        "return min(length, MAX_LEASE_SECONDS) - LEASE_MARGIN",
        "return length - LEASE_MARGIN",
        seed=96,
    ),
    Plant(
        "the lease is counted from the answer",
        f"{_RUN}.slot",
        "JobRun(self._parts, task, sent, reading.lease_seconds, self._wire).run()",
        "JobRun(self._parts, task, runtime.clock(), reading.lease_seconds, self._wire).run()",
        seed=282,
    ),
    Plant(
        "a heartbeat extends the lease from its answer",
        "chaojiyuyan_worker.leases",
        "lease.times.extend(sent, reading.lease_seconds, now, self._runtime.random())",
        "lease.times.extend(now, reading.lease_seconds, now, self._runtime.random())",
        seed=246,
    ),
    Plant(
        "a lost lease is not noticed",
        "chaojiyuyan_worker.leases",
        "        if isinstance(reading, LeaseGone):\n            self.lose(lease, Loss.GONE)\n"
        "            return False\n",
        "        if isinstance(reading, LeaseGone):\n            return False\n",
        seed=386,
    ),
    Plant(
        "heartbeats stop in the drain",
        f"{_RUN}.run",
        "        self._offers.close()\n        self._stopping.set()\n\n    def health",
        "        self._offers.close()\n        self._keeper._pool.close()\n"
        "        self._keeper._service.returned = True\n"
        "        self._keeper._dispatch = lambda lease: None\n"
        "        self._stopping.set()\n\n    def health",
        seed=32,
    ),
    Plant(
        "a heartbeat that failed is not repeated",
        f"{_RUN}.schedule",
        "self.next_heartbeat = now + max(pause, asked, MIN_RETRY_PAUSE)",
        "self.next_heartbeat = NEVER",
        seed=63,
    ),
    Plant(
        "no heartbeat follows the first",
        f"{_RUN}.schedule",
        "        if self.is_kept:\n            self.next_heartbeat = now",
        "        if not self.is_kept:\n            self.next_heartbeat = now",
        seed=6,
    ),
    Plant(
        "heartbeats go out too late",
        f"{_RUN}.schedule",
        "return min(self._interval, max(self.deadline - now, 0.0) / 2)",
        "return max(self.deadline - now, 0.0) + 0.5",
        seed=6,
    ),
    Plant(
        "a slot leaks when a bid is refused",
        f"{_RUN}.offers",
        '            self._capacity.end(self._running.pop(offer["job_id"]))\n',
        '            key = self._running.pop(offer["job_id"])\n            if worked:\n'
        "                self._capacity.end(key)\n",
        seed=4,
    ),
    Plant(
        "a slot is not woken for a new offer",
        f"{_RUN}.offers",
        "self._offered.notify(len(self._kept))",
        "pass",
        seed=0,
    ),
    Plant(
        "a closed run does not wake its slots",
        f"{_RUN}.offers",
        "            self._offered.notify_all()\n            self._wanted.notify_all()",
        "            self._wanted.notify_all()",
        seed=0,
    ),
    Plant(
        "a job may be taken by two slots",
        f"{_RUN}.offers",
        "if job_id in self._running or job_id in self._ended:",
        "if job_id in self._ended:",
        seed=2,
    ),
    Plant(
        "polls without a pause after a fault",
        f"{_RUN}.pacing",
        "delay = max(FAULTS.backoff(self.faults, draw), retry_after or 0.0)",
        "delay = 0.0",
        seed=9,
    ),
    Plant(
        "polls without a pause between pages",
        f"{_RUN}.pacing",
        "self.not_before = asked + pause * (1 + draw / 10)",
        "self.not_before = asked",
        seed=9,
    ),
    Plant(
        "a lost registration is forgotten",
        f"{_RUN}.polling",
        "            self._unregistered.pop(0)\n        return None",
        "            self._unregistered.pop(0)\n        self._registers = False\n"
        "        return None",
        seed=0,
    ),
    Plant(
        "a page of a proxy refuses the key",
        "chaojiyuyan_core.answers",
        "return refused and _is_platform_error(reply)",
        "return refused",
        seed=3,
    ),
    Plant(
        "a 404 without a code is the loss of a lease",
        "chaojiyuyan_core.answers",
        "return reply.status in (404, 410) and reply.code in LOST_LEASE_CODES",
        "return reply.status in (404, 410)",
        seed=3,
    ),
    Plant(
        "a submit is repeated after the loss",
        "chaojiyuyan_core.submission",
        "    while (remaining := lease.remaining()) > 0:\n        left",
        "    while (remaining := max(lease.remaining(), 1.0)) > 0:\n        left",
        seed=1,
    ),
    Plant(
        "a submit is sent once",
        "chaojiyuyan_core.submission",
        "if reading.is_final or resumes >= ends:",
        "if True:",
        seed=3,
    ),
    Plant(
        "a refused output is repaired without asking for the lease",
        f"{_RUN}.job",
        "if refused and not self._parts.keeper.confirm(self._lease, self._over.wait):",
        "if refused and self._lease.lost is not None:",
        seed=3,
    ),
    Plant(
        "the handler runs again although the job was settled",
        f"{_RUN}.job",
        "retries = verdict.outcome in (Outcome.FAILED, Outcome.REFUSED)",
        "retries = verdict.outcome in (Outcome.FAILED, Outcome.REFUSED, Outcome.SETTLED)",
        seed=0,
    ),
    Plant(
        "a lease is not released when its job ends",
        f"{_RUN}.lease",
        "        self._keeper.release(self)\n",
        "        pass\n",
        seed=0,
    ),
    Plant(
        "connections of slots are not closed",
        f"{_RUN}.run",
        "        finally:\n            wire.close()",
        "        finally:\n            pass",
        seed=0,
    ),
    Plant(
        "one fault ends the poll",
        f"{_RUN}.polling",
        "        if fatal is None:\n            self._suspend(fault)\n        return fatal",
        "        return fatal or fault.error",
        seed=0,
    ),
    Plant(
        "the drain has no limit",
        f"{_RUN}.run",
        "if self._finished.wait(self._grace):",
        "if self._finished.wait(None):",
        seed=82,
    ),
]

PLANTS = {plant.name: plant for plant in _ALL}
"""The planted bugs by name."""
