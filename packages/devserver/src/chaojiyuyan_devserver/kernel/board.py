"""The open jobs, indexed by id, offer, idempotency key and deadline."""

import heapq
from collections.abc import Iterable
from itertools import islice

from .records import Job


class Board:
    """The jobs that have not ended, and those that ended but are not yet stored."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self._offers: dict[str, dict[str, Job]] = {}
        self._by_idempotency: dict[tuple[str, str], Job] = {}
        self._deadlines: list[tuple[float, str]] = []

    def restore(self, jobs: Iterable[Job]) -> None:
        """Add open jobs, oldest first."""
        for job in jobs:
            self.add(job)
            if job.status == "bidding":
                self.offer(job)
        self._sort_deadlines()

    def add(self, job: Job) -> None:
        """Add a job."""
        self.jobs[job.id] = job
        if job.idempotency_key is not None:
            self._by_idempotency[job.agent_id, job.idempotency_key] = job

    def remove(self, job: Job) -> None:
        """Remove a job that has ended and is stored."""
        self.jobs.pop(job.id, None)
        if job.idempotency_key is not None:
            self._by_idempotency.pop((job.agent_id, job.idempotency_key), None)

    def find_repeated(self, agent_id: str, idempotency_key: str) -> Job | None:
        """Return the caller's job with this idempotency key, or None if it is not on the board."""
        return self._by_idempotency.get((agent_id, idempotency_key))

    def offer(self, job: Job) -> None:
        """Offer a job to the workers that handle its capability."""
        self._offers.setdefault(job.capability_key, {})[job.id] = job

    def withdraw(self, job: Job) -> None:
        """Stop offering a job."""
        self._offers.get(job.capability_key, {}).pop(job.id, None)

    def offered(self, capability_keys: Iterable[str], limit: int) -> list[Job]:
        """Return at most ``limit`` offered jobs of these capabilities, oldest first.

        If there are more, re-routed jobs come after new ones.
        """
        found = [
            job
            for key in capability_keys
            for job in islice(self._offers.get(key, {}).values(), limit)
        ]
        return sorted(found, key=lambda job: job.number)[:limit]

    def watch(self, job: Job) -> None:
        """Record a job's next deadline."""
        # If a deadline was moved later, this is found when the earlier one is due. Deadlines of
        # jobs that have ended are removed once there are more of them than open jobs.
        if len(self._deadlines) > 2 * len(self.jobs) + 64:
            self._sort_deadlines()
        heapq.heappush(self._deadlines, (job.deadline, job.id))

    def next_deadline(self) -> float | None:
        """Return the next deadline, or None if no job is open."""
        while self._deadlines:
            at, job_id = self._deadlines[0]
            job = self.jobs.get(job_id)
            if job is not None and not job.terminal and job.deadline <= at:
                return at
            heapq.heappop(self._deadlines)
            if job is not None and not job.terminal:
                heapq.heappush(self._deadlines, (job.deadline, job_id))
        return None

    def take_due(self, now: float) -> Job | None:
        """Remove and return a job whose deadline has passed, or None."""
        deadline = self.next_deadline()
        if deadline is None or deadline > now:
            return None
        return self.jobs[heapq.heappop(self._deadlines)[1]]

    def _sort_deadlines(self) -> None:
        self._deadlines = [(job.deadline, job.id) for job in self.jobs.values()]
        heapq.heapify(self._deadlines)
