from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import httpx
import pytest

from chaojiyuyan_core import errors
from chaojiyuyan_core.http import RequestBuilder

RESPONSE = httpx.Response(
    400, request=httpx.Request("GET", "https://x/", headers={"authorization": "Bearer nxt_ag_s"})
)
OF_ITS_OWN: dict[str, tuple[Any, ...]] = {
    "JobTimeout": ("j1", 4.0),
    "JobFailed": ({"id": "j1", "status": "failed", "error_code": "c", "error_message": "m"},),
    "PriceTooHigh": ("test.echo.v1", 7, 5),
    "BudgetExceeded": (7, 5),
    "InputInvalid": ("items.1.size", "'x' is not a number"),
    "CapabilityNotRegistered": ("test.echo.v1",),
    "BidRejected": ("j1", "already_awarded"),
    "TaskRunNotFound": ("j1",),
    "LeaseExpired": ("j1",),
    "TaskCancelled": ("j1", "the lease is lost"),
    "SubmitValidationFailed": ("j1", ["a is missing", "b is no number"]),
}
CLASSES = [
    cls
    for _, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, errors.HebingError)
]


def made(cls: type[errors.HebingError]) -> errors.HebingError:
    if issubclass(cls, errors.HebingAPIError):
        error = cls(400, "no good", code="bad", response=RESPONSE)
        error.request_id = "req-1"
        error.retry_after = 3.0
        error.fields = {"hint": "x"}
        return error
    return cls(*OF_ITS_OWN.get(cls.__name__, ("some text",)))


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize(
    "copied",
    [
        copy.copy,
        copy.deepcopy,
        *(
            lambda error, protocol=protocol: pickle.loads(pickle.dumps(error, protocol))
            for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
        ),
    ],
)
def test_every_exception_pickles_and_copies(cls: type[errors.HebingError], copied: Any) -> None:
    error = made(cls)
    other = copied(error)
    assert type(other) is cls
    assert str(other) == str(error)
    assert other.args == error.args
    assert other.__dict__ == {
        **error.__dict__,
        **({"response": None} if "code" in vars(other) and hasattr(other, "response") else {}),
    }


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_exception_has_a_message(cls: type[errors.HebingError]) -> None:
    assert cls.__doc__
    assert cls.__name__ in (errors.__doc__ or "")
    assert str(made(cls))


def test_every_exception_is_exported() -> None:
    assert set(errors.__all__) == {cls.__name__ for cls in CLASSES}


def test_a_pickled_error_contains_no_key() -> None:
    assert b"nxt_ag_s" not in pickle.dumps(made(errors.BadRequestError))


def test_the_tree_of_0_4_0_is_unchanged() -> None:
    assert issubclass(errors.HebingAPIError, errors.HebingError)
    assert issubclass(errors.DeviceFlowTimeout, errors.DeviceFlowError)
    for name in ("DeviceFlowError", "JobTimeout", "WorkerError"):
        assert issubclass(getattr(errors, name), errors.HebingError)
    for name in (
        *("WorkerNotEnabled", "CapabilityNotRegistered", "BidRejected"),
        *("TaskRunNotFound", "LeaseExpired", "SubmitValidationFailed"),
    ):
        assert issubclass(getattr(errors, name), errors.WorkerError)
    assert issubclass(errors.CredentialsError, ValueError)


def test_the_attributes_of_0_4_0_are_unchanged() -> None:
    error = errors.HebingAPIError(400, "no such capability", code="unknown_capability")
    assert str(error) == "API error 400 (unknown_capability): no such capability"
    assert (error.status_code, error.detail, error.code) == (
        *(400, "no such capability"),
        "unknown_capability",
    )
    assert error.response is None
    assert str(errors.HebingAPIError(500, "oops")) == "API error 500: oops"
    timeout = errors.JobTimeout("j1", 4.0)
    assert (timeout.job_id, timeout.timeout) == ("j1", 4.0)
    bid = errors.BidRejected("j1", "already_awarded", awarded_to_agent_id="agt")
    assert (bid.job_id, bid.code, bid.awarded_to_agent_id) == ("j1", "already_awarded", "agt")
    refused = errors.SubmitValidationFailed("j1", ["a", "b"])
    assert (refused.job_id, refused.validation_errors) == ("j1", ["a", "b"])


def test_a_failed_job_shows_no_key_and_a_short_reason() -> None:
    key = "a-key-of-another-kind"
    builder = RequestBuilder(key, "https://api.example")
    text = f"Bearer%20{key} and nxt_ag_0123456789" + "x" * 9999
    error = errors.JobFailed({"id": "j", "status": "failed", "error_message": text})
    assert "another" not in f"{error} {error.error_message}"
    assert "0123" not in str(error)
    assert len(str(error)) < 600
    del builder


def test_long_texts_from_outside_are_cut() -> None:
    endless = "x" * 100_000
    raised = [
        errors.JobTimeout("j", 1.0, status=endless),
        errors.BidRejected("j", endless),
        errors.SubmitValidationFailed("j", [endless, "second"]),
    ]
    assert all(len(str(error)) < 1000 for error in raised)
    assert raised[2].validation_errors == [endless, "second"]
