"""The OpenAPI document is correct: schemathesis sends valid and invalid requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings, strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from chaojiyuyan_devserver._faults import ENDPOINTS

if TYPE_CHECKING:
    from chaojiyuyan_devserver.testing import LocalKernel

IGNORED = [negative_data_rejection]  # FastAPI ignores query parameters that it does not know
STATES = {"token": [positive_data_acceptance]}  # 410 and 428 report the login's state


@pytest.fixture(scope="module")
def document(_shared_kernel: LocalKernel) -> dict[str, Any]:
    """The served document."""
    root = _shared_kernel.base_url.removesuffix("/api/v1")
    answer: dict[str, Any] = httpx.get(f"{root}/openapi.json", trust_env=False).json()
    return answer


@pytest.fixture(scope="module")
def schema(document: dict[str, Any]) -> Any:
    return schemathesis.openapi.from_dict(document)


@pytest.mark.parametrize("name", ENDPOINTS)
def test_every_response_matches_the_document(kernel: LocalKernel, schema: Any, name: str) -> None:
    schema.config.update(base_url=kernel.base_url)  # also for requests that a check makes
    operation = schema.find_operation_by_id(name)
    cases = [
        operation.as_strategy(generation_mode=mode)
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    ]

    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=st.one_of(cases))
    def ask(case: Any) -> None:
        case.headers.pop("Prefer", None)  # the request would wait
        case.call_and_validate(
            headers={"Authorization": f"Bearer {kernel.api_key}"},
            excluded_checks=[*IGNORED, *STATES.get(name, [])],
        )

    ask()


def test_a_405_lists_all_methods_of_the_path(kernel_client: httpx.Client) -> None:
    answer = kernel_client.delete("/kernel-jobs")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")


def test_assumptions_are_marked(document: dict[str, Any]) -> None:
    operations = {
        operation["operationId"]: operation
        for path in document["paths"].values()
        for operation in path.values()
    }
    assert sorted(operations) == sorted(ENDPOINTS)
    marked = {name for name, operation in operations.items() if "x-assumed" in operation}
    assert marked == {"available", "bid", "create", "events", "list", "submit"}
    for name in marked:
        assert operations[name]["description"].count("Assumed: ") == 1
    unauthenticated = {name for name, one in operations.items() if "security" not in one}
    assert unauthenticated == {"authorize", "token"}
