"""The endpoints of the platform's API, each as a function that returns a :class:`Call`.

A call describes a request, whether it is safe to repeat, and how to read the response. It does no
I/O: :mod:`chaojiyuyan_core.http` sends it. Paths are relative to the base URL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar, cast

from ._paths import quote_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .models import (
        Artifact,
        BidResult,
        CapabilitySpec,
        DeviceCode,
        DeviceToken,
        JobData,
        JobEvent,
        JsonObject,
        LeaseInfo,
        Registration,
        SubmitResult,
        TaskInfo,
    )

T_co = TypeVar("T_co", covariant=True)

_WEB_URL = re.compile(r"https?://[\x21-\x7e]+")

MAX_KEYS_PER_REGISTRATION = 50
"""Maximum number of capability keys in one registration."""

MAX_OFFERS = 50
"""Maximum number of offers in the response to one poll."""


class UnexpectedShape(ValueError):
    """The data of a response does not have the documented form. The text says what was expected."""


@dataclass(slots=True, eq=False)  # creating a frozen one would take four times as long
class Call(Generic[T_co]):
    """One request to the API.

    Attributes:
        encoded: The body as JSON bytes, after the first encoding.

    Args:
        method: The HTTP method.
        path: The path relative to the base URL, with quoted ids.
        read: Converts the data of the response to the result, or raises :class:`UnexpectedShape`.
        query: The query parameters.
        body: The JSON body; None sends no body.
        repeatable: Whether sending the request twice has the same effect as sending it once.
        wait: Maximum seconds of a long-poll (``Prefer: wait``, RFC 7240); None for no long-poll.
        authorized: Whether to send the agent key.
    """

    method: str
    path: str
    read: Callable[[object], T_co]
    query: Mapping[str, str | int] | None = None
    body: Mapping[str, object] | None = None
    repeatable: bool = False
    wait: float | None = None
    authorized: bool = True
    encoded: bytes | None = field(default=None, init=False, repr=False)


class Sink(Protocol):
    """The receiver of the content of a :class:`Fetch`."""

    def range_headers(self) -> dict[str, str]:
        """Return the headers that request only the rest (RFC 9110, 14.2), or {} for the whole."""

    def begin(self, status: int, headers: Mapping[str, str]) -> object:
        """Read the status and the headers of a successful response, before its content.

        Args:
            status: The HTTP status, 206 for a part.
            headers: The headers, with lower-case names.
        """

    def write(self, chunk: bytes) -> object:
        """Write the next bytes.

        Args:
            chunk: The received bytes.
        """


class Fetch(NamedTuple):
    """The download of a file. The agent key is sent only to the platform's own origin.

    Args:
        url: The absolute URL of the file.
        sink: Receives the content of a successful response.
    """

    url: str
    sink: Sink

    @property
    def repeatable(self) -> bool:
        """Always true, because a second download returns the same file."""
        return True


# --- callers -------------------------------------------------------------------------------------


def create_job(
    capability_key: str,
    input_payload: Mapping[str, object],
    *,
    idempotency_key: str | None = None,
    timeout_sec: int | None = None,
    channel_context: Mapping[str, object] | None = None,
) -> Call[JobData]:
    """``POST /kernel-jobs``: order a job. The same idempotency key gives the same job."""
    body: dict[str, object] = {"capability_key": capability_key, "input_payload": input_payload}
    if idempotency_key is not None:
        body["idempotency_key"] = idempotency_key
    if timeout_sec is not None:
        body["timeout_sec"] = timeout_sec
    if channel_context is not None:
        body["channel_context"] = channel_context
    return Call("POST", "/kernel-jobs", _job, body=body, repeatable=idempotency_key is not None)


def get_job(job_id: str, *, wait: float | None = None) -> Call[JobData]:
    """``GET /kernel-jobs/{id}``: a job. With ``wait``, a long-poll of at most ``wait`` seconds."""

    def read(data: object) -> JobData:
        job = _job(data)
        if job["id"] != job_id:  # for example, a response to another request
            raise UnexpectedShape("expected the requested job, got another one")
        return job

    return Call("GET", f"/kernel-jobs/{quote_id(job_id)}", read, repeatable=True, wait=wait)


def list_jobs(
    *,
    limit: int | None = None,
    offset: int | None = None,
    status: str | None = None,
    capability_key: str | None = None,
) -> Call[list[JobData]]:
    """``GET /kernel-jobs``: a page of the caller's own jobs. The form is an assumption."""
    query = _given(limit=limit, offset=offset, status=status, capability_key=capability_key)
    return Call("GET", "/kernel-jobs", _jobs, query=query, repeatable=True)


def job_events(job_id: str) -> Call[list[JobEvent]]:
    """``GET /kernel-jobs/{id}/events``: a job's events, oldest first. The form is an assumption."""
    return Call("GET", f"/kernel-jobs/{quote_id(job_id)}/events", _events, repeatable=True)


def list_capabilities(*, category: str | None = None) -> Call[list[CapabilitySpec]]:
    """``GET /capability-specs``: the catalog, or one category of it."""
    query = _given(category=category)
    return Call("GET", "/capability-specs", _capabilities, query=query, repeatable=True)


# --- device login --------------------------------------------------------------------------------


def start_device_login(client_name: str) -> Call[DeviceCode]:
    """``POST /oauth/device/authorize``: start a device login (RFC 8628, 3.1)."""
    return Call(
        "POST",
        "/oauth/device/authorize",
        _device_code,
        body={"client_name": client_name},
        repeatable=True,  # an unused code expires
        authorized=False,
    )


def poll_device_login(device_code: str) -> Call[DeviceToken]:
    """``POST /oauth/device/token``: check whether a device login is approved (RFC 8628, 3.4)."""
    return Call(
        "POST",
        "/oauth/device/token",
        _device_token,
        body={"device_code": device_code},
        repeatable=True,
        authorized=False,
    )


# --- workers -------------------------------------------------------------------------------------


def register_capabilities(capability_keys: Sequence[str]) -> Call[Registration]:
    """``POST /kernel-agents/me/capabilities``: register for 1 to 50 capabilities. Idempotent."""
    return Call(
        "POST",
        "/kernel-agents/me/capabilities",
        _registration,
        body={"capability_keys": list(capability_keys)},
        repeatable=True,
    )


def available_jobs(
    *, limit: int = 10, capability_key: str | None = None, wait: float | None = None
) -> Call[list[object]]:
    """``GET /kernel-jobs/available``: the rows of offers, to be read with :func:`offer`.

    The rows are not checked here, so that one malformed row does not hide the others.
    """
    query = _given(limit=limit, capability_key=capability_key)
    return Call("GET", "/kernel-jobs/available", _rows, query=query, repeatable=True, wait=wait)


def offer(row: object) -> TaskInfo:
    """Read one row of :func:`available_jobs`, or raise :class:`UnexpectedShape`."""
    return cast("TaskInfo", _with_texts(row, "offer", "job_id", "capability_key"))


def bid(job_id: str) -> Call[BidResult]:
    """``POST /kernel-jobs/{id}/bid``: bid for a job. An award starts the lease."""
    return Call("POST", f"/kernel-jobs/{quote_id(job_id)}/bid", _bid, body={})


def heartbeat(job_id: str) -> Call[LeaseInfo]:
    """``POST /kernel-jobs/{id}/heartbeat``: extend the lease to its full length from now."""
    return Call("POST", f"/kernel-jobs/{quote_id(job_id)}/heartbeat", _lease)


def submit(
    job_id: str,
    output: Mapping[str, object],
    *,
    artifacts: Sequence[Artifact] = (),
    publish_as_artifact: bool = False,
    artifact_license: str | None = None,
    artifact_tags: Sequence[str] | None = None,
) -> Call[SubmitResult]:
    """``POST /kernel-jobs/{id}/submit``: settle the job with its output."""
    body: dict[str, object] = {"output_envelope": output, "artifacts": list(artifacts)}
    if publish_as_artifact:
        body["publish_as_artifact"] = True
        if artifact_license is not None:
            body["artifact_license"] = artifact_license
        if artifact_tags is not None:
            body["artifact_tags"] = list(artifact_tags)
    return Call("POST", f"/kernel-jobs/{quote_id(job_id)}/submit", _settlement, body=body)


# --- reading -------------------------------------------------------------------------------------


def _given(**query: str | int | None) -> dict[str, str | int] | None:
    return {name: value for name, value in query.items() if value is not None} or None


def _object(data: object, what: str) -> JsonObject:
    if not isinstance(data, dict):
        raise UnexpectedShape(f"expected {what} as an object, got {type(data).__name__}")
    return data


def _with_texts(data: object, what: str, *names: str) -> JsonObject:
    fields = _object(data, what)
    for name in names:
        if not isinstance(fields.get(name), str):
            raise UnexpectedShape(f"expected {what} with a string {name!r}")
    return fields


def _list(data: object, member: str) -> list[object]:
    """Return a list, or the list in ``member`` of an object."""
    rows = data.get(member) if isinstance(data, dict) else data
    if not isinstance(rows, list):
        raise UnexpectedShape(f"expected a list of {member}")
    return rows


def _objects(data: object) -> list[JsonObject]:
    return [_object(row, "an item") for row in _list(data, "items")]


def _job(data: object) -> JobData:
    return cast("JobData", _with_texts(data, "a job", "id", "status"))


def _jobs(data: object) -> list[JobData]:
    return [_job(row) for row in _list(data, "items")]


def _events(data: object) -> list[JobEvent]:
    return cast("list[JobEvent]", _objects(data))


def _capabilities(data: object) -> list[CapabilitySpec]:
    return cast("list[CapabilitySpec]", _objects(data))


def _device_code(data: object) -> DeviceCode:
    names = ("device_code", "user_code", "verification_url")
    fields = _with_texts(data, "a device code", *names)
    # The texts are printed and the URL is opened in a browser, so escape sequences and other
    # schemes are refused.
    for name in ("verification_url", "verification_url_complete"):
        if fields.get(name) and not _WEB_URL.fullmatch(str(fields[name])):
            raise UnexpectedShape(f"expected a device code with a web address {name!r}")
    if not fields["user_code"].isprintable():
        raise UnexpectedShape("expected a device code with a printable 'user_code'")
    return cast("DeviceCode", fields)


def _device_token(data: object) -> DeviceToken:
    return cast("DeviceToken", _with_texts(data, "a device token", "api_key"))


def _registration(data: object) -> Registration:
    fields = _object(data, "a registration")
    return {
        "registered": [str(key) for key in _list(fields.get("registered", []), "registered")],
        "skipped_unknown": [
            str(key) for key in _list(fields.get("skipped_unknown", []), "skipped_unknown")
        ],
    }


def _rows(data: object) -> list[object]:
    return _list(data, "jobs")


def _bid(data: object) -> BidResult:
    fields = _object(data, "a bid result")
    if not isinstance(fields.get("accepted"), bool):
        raise UnexpectedShape("expected a bid result with a boolean 'accepted'")
    if fields["accepted"]:
        _with_texts(fields, "an award", "task_run_id")
    return cast("BidResult", fields)


def _lease(data: object) -> LeaseInfo:
    return cast("LeaseInfo", _object(data, "a lease"))


def _settlement(data: object) -> SubmitResult:
    return cast("SubmitResult", _object(data, "a settlement"))
