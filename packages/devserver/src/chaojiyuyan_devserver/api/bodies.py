"""Request bodies, as the platform's own API takes them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

Json = dict[str, Any]


class JobRequest(BaseModel):
    """A call of a capability."""

    capability_key: Annotated[str, Field(min_length=1, max_length=200)]
    input_payload: Json = {}
    idempotency_key: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    timeout_sec: Annotated[int, Field(ge=1, le=86400)] | None = None
    channel_context: Json | None = None


class Registration(BaseModel):
    """The capabilities that a worker handles."""

    capability_keys: Annotated[list[str], Field(min_length=1, max_length=50)]


class Submission(BaseModel):
    """A worker's result."""

    output_envelope: Json
    artifacts: list[Json] = []
    publish_as_artifact: bool = False
    artifact_license: str | None = None
    artifact_tags: list[str] = []


class LoginRequest(BaseModel):
    """The start of a device login."""

    client_name: Annotated[str, Field(min_length=1, max_length=200)]


class TokenRequest(BaseModel):
    """A poll for the outcome of a device login."""

    device_code: str


class WebhookConfig(BaseModel):
    """Where an account's events go; an empty URL stops them."""

    url: str
    secret: str | None = None


Decision = Literal["approve", "deny"]
