"""The single calls of a worker, for a loop of one's own: each raises the documented errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from chaojiyuyan_core import api
from chaojiyuyan_core.errors import HebingAPIError, SubmitValidationFailed
from chaojiyuyan_core.flow import request, run
from chaojiyuyan_core.retry import Retry
from chaojiyuyan_core.transport import Transport

from ._errors import bid_rejected, refusal, run_refusal, validation_errors
from ._run.polling import sound_offers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx

    from chaojiyuyan_core.models import (
        Artifact,
        BidResult,
        LeaseInfo,
        SubmitResult,
        TaskInfo,
    )
    from chaojiyuyan_core.requests import Requests

    from ._run.options import Publishing

T = TypeVar("T")


class Steps:
    """Sends one call at a time, again where that is safe.

    :param requests: makes the requests.
    :param http_client: a client that was handed in, or None for one of our own.
    :param publishing: how outputs are published.
    """

    def __init__(
        self, requests: Requests, http_client: httpx.Client | None, publishing: Publishing
    ) -> None:
        self._requests = requests
        self._http_client = http_client
        self._publishing = publishing
        self._own_transport: Transport | None = None

    def available(self, *, limit: int = 10, capability_key: str | None = None) -> list[TaskInfo]:
        """``GET /kernel-jobs/available``: the jobs that may be bid on; malformed rows are left out.

        :param limit: the most jobs, 50 at most.
        :param capability_key: only this capability's; all that are registered by default.
        :raises WorkerNotEnabled: the agent has registered nothing.
        """
        try:
            rows = self._sent(api.available_jobs(limit=limit, capability_key=capability_key))
        except HebingAPIError as error:
            raise refusal(error) from error
        return [offer for offer, _ in sound_offers(rows) if offer is not None]

    def bid(self, job_id: str) -> BidResult:
        """``POST /kernel-jobs/{id}/bid``: ask for a job; an award starts its lease.

        :returns: the award, with ``task_run_id`` and ``lease_expires_at``.
        :raises BidRejected: another worker has it, or its bidding is over.
        :raises WorkerNotEnabled: the agent has registered nothing.
        :raises CapabilityNotRegistered: the agent has not registered its capability.
        """
        try:
            result = self._sent(api.bid(job_id))
        except HebingAPIError as error:
            raise refusal(error, job_id) from error
        if not result["accepted"]:
            raise bid_rejected(job_id, result)
        return result

    def heartbeat(self, job_id: str) -> LeaseInfo:
        """``POST /kernel-jobs/{id}/heartbeat``: set the lease to its full length from now.

        :raises TaskRunNotFound: the job was re-routed, or is not this agent's.
        :raises LeaseExpired: the lease ran out.
        """
        try:
            return self._sent(api.heartbeat(job_id))
        except HebingAPIError as error:
            raise run_refusal(error, job_id) from error

    def submit(
        self,
        job_id: str,
        output: Mapping[str, object],
        *,
        artifacts: Sequence[Artifact] = (),
    ) -> SubmitResult:
        """``POST /kernel-jobs/{id}/submit``: settle a job; published as the worker was told to.

        :param output: the output envelope.
        :param artifacts: what the job has produced besides.
        :raises SubmitValidationFailed: the output does not fit the capability.
        :raises TaskRunNotFound: the job was re-routed, or settled already.
        :raises LeaseExpired: the lease ran out.
        """
        call = self._publishing.submit(job_id, output, artifacts)
        try:
            result = self._sent(call)
        except HebingAPIError as error:
            raise run_refusal(error, job_id) from error
        if not result.get("settled", True):
            found = validation_errors(result) or [str(result.get("code", "not settled"))]
            raise SubmitValidationFailed(job_id, found)
        return result

    def close(self) -> None:
        """Close the connections; a client that was handed in stays open."""
        if self._own_transport is not None:
            self._own_transport.close()
            self._own_transport = None

    def _new_transport(self, connections: int) -> Transport:
        return Transport(self._requests, http_client=self._http_client, connections=connections)

    def _sent(self, call: api.Call[T]) -> T:
        if self._own_transport is None:
            self._own_transport = self._new_transport(1)
        return run(request(call, Retry()), self._own_transport)
