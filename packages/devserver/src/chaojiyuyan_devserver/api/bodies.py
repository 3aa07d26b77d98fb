"""What requests carry, as the platform takes it."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field


def _finite(value: dict[str, Any]) -> dict[str, Any]:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        # Python's and pydantic's readers take them, nobody else's need to
        raise ValueError("NaN and Infinity are not JSON") from None
    return value


Json = Annotated[dict[str, Any], AfterValidator(_finite)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class JobRequest(BaseModel):
    """A call of a capability."""

    capability_key: Name
    input_payload: Json = {}
    idempotency_key: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    timeout_sec: Annotated[int, Field(ge=1, le=86400)] | None = None
    channel_context: Json | None = None


class JobQuery(BaseModel):
    """Which of the caller's jobs to list."""

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    offset: Annotated[int, Field(ge=0, le=2**53)] = 0
    status: str | None = None
    capability_key: str | None = None


class CatalogQuery(BaseModel):
    """Which capabilities to list."""

    category: str | None = None


class Registration(BaseModel):
    """The capabilities that a worker handles."""

    capability_keys: Annotated[list[Name], Field(min_length=1, max_length=50)]


class OfferQuery(BaseModel):
    """Which jobs a worker looks for."""

    limit: Annotated[int, Field(ge=1, le=50)] = 10
    capability_key: str | None = None


class Submission(BaseModel):
    """A worker's result. What is published goes into the job's history."""

    output_envelope: Json
    artifacts: list[Json] = []
    publish_as_artifact: bool = False
    artifact_license: str | None = None
    artifact_tags: list[str] = []

    @property
    def published(self) -> Json | None:
        """Under which licence and tags the artifacts are published; None where they are not."""
        if not self.publish_as_artifact:
            return None
        return {"license": self.artifact_license, "tags": self.artifact_tags}


class LoginRequest(BaseModel):
    """The start of a device login."""

    client_name: Name


class TokenRequest(BaseModel):
    """A poll for the outcome of a device login."""

    device_code: str
