"""The bodies of requests and responses."""

import json
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, Field
from typing_extensions import NotRequired, TypedDict

from chaojiyuyan_devserver.kernel import Order, Result
from chaojiyuyan_devserver.kernel.views import OfferView

T = TypeVar("T")


def _require_finite(value: dict[str, Any]) -> dict[str, Any]:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        # Python's and pydantic's parsers accept them, but other parsers may not.
        raise ValueError("NaN and Infinity are not JSON") from None
    return value


Json = Annotated[dict[str, Any], AfterValidator(_require_finite)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class JobRequest(BaseModel):
    """A call of a capability."""

    capability_key: Name
    input_payload: Json = {}
    idempotency_key: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    timeout_sec: Annotated[int, Field(ge=1, le=86400)] | None = None
    channel_context: Json | None = None

    @property
    def order(self) -> Order:
        """The call as the kernel's ``Order``."""
        return Order(
            self.capability_key,
            self.input_payload,
            self.idempotency_key,
            self.timeout_sec,
            self.channel_context,
        )


class Registration(BaseModel):
    """The capabilities that a worker handles."""

    capability_keys: Annotated[list[Name], Field(min_length=1, max_length=50)]


class Submission(BaseModel):
    """A worker's result. Published artifacts are recorded in the job's history."""

    output_envelope: Json
    artifacts: list[Json] = []
    publish_as_artifact: bool = False
    artifact_license: str | None = None
    artifact_tags: list[str] = []

    @property
    def result(self) -> Result:
        """The result as the kernel's ``Result``."""
        published = {"license": self.artifact_license, "tags": self.artifact_tags}
        return Result(
            self.output_envelope, self.artifacts, published if self.publish_as_artifact else None
        )


class LoginRequest(BaseModel):
    """The start of a device login."""

    client_name: Name


class TokenRequest(BaseModel):
    """A poll for the outcome of a device login."""

    device_code: str


class Data(TypedDict, Generic[T]):
    """A success."""

    data: T


class Refused(TypedDict):
    """A refusal."""

    detail: dict[str, Any]


class Invalid(TypedDict):
    """A request that does not fit the schema, or a refusal."""

    detail: list[dict[str, Any]] | dict[str, Any]


class Items(TypedDict, Generic[T]):
    """A list."""

    items: list[T]


class Registered(TypedDict):
    """The outcome of a registration."""

    registered: list[str]
    skipped_unknown: list[str]


class Offers(TypedDict):
    """The jobs on offer."""

    jobs: list[OfferView]


class Bid(TypedDict):
    """The outcome of a bid."""

    accepted: bool
    task_run_id: NotRequired[str]
    lease_expires_at: NotRequired[str]
    code: NotRequired[str]
    error: NotRequired[str]
    awarded_to_agent_id: NotRequired[str]


class Lease(TypedDict):
    """A lease that was extended."""

    lease_expires_at: str


class Settlement(TypedDict):
    """The outcome of a submission."""

    settled: bool
    payout_nc: NotRequired[int]
    job_status: NotRequired[str]
    code: NotRequired[str]
    error: NotRequired[str]
    validation_errors: NotRequired[list[str]]


class Login(TypedDict):
    """A device login in progress. Times are seconds."""

    device_code: str
    user_code: str
    verification_url: str
    verification_url_complete: str
    expires_in: int
    interval: int


class Token(TypedDict):
    """The key of an approved login."""

    api_key: str
    account_id: str
