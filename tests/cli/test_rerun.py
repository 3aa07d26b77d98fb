"""`rerun` orders the input of a job again, unchanged or edited."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from chaojiyuyan_devserver.testing import LocalKernel
    from support.command_line import Cli

CAP = "test.echo.v1"


@pytest.fixture
def job_id(connected: Cli) -> str:
    done = connected("call", CAP, "--input", '{"text": "hi"}', "--json", "--idempotency-key", "k")
    job: dict[str, str] = json.loads(done.stdout)
    return job["id"]


def test_a_job_is_ordered_again(connected: Cli, kernel: LocalKernel, job_id: str) -> None:
    done = connected("rerun", job_id)
    assert done.returncode == 0
    created, *_ = done.stdout.splitlines()
    again = created.removeprefix("Job created: ")
    assert again != job_id
    job = kernel.job(again)
    assert (job["capability_key"], job["input_envelope"]) == (CAP, {"text": "hi"})
    assert job["idempotency_key"] != "k"


def test_the_input_is_edited(connected: Cli, kernel: LocalKernel, job_id: str) -> None:
    done = connected(
        *("rerun", job_id, "--edit", "--json"), VISUAL="sed -i s/hi/ho/", EDITOR="false"
    )
    assert done.returncode == 0, done.stderr
    assert kernel.job(json.loads(done.stdout)["id"])["input_envelope"] == {"text": "ho"}


@pytest.mark.parametrize(
    ("editor", "why"),
    [
        ("true", "unchanged"),
        ("false", "exit code 1"),
        ("sed -i s/}//", "not valid JSON"),
        ("sed -i 1,3d", ""),
        ("/no/such/editor", "Cannot start the editor"),
        ("", "Set VISUAL or EDITOR"),
    ],
)
def test_an_edit_that_fails_orders_nothing(
    connected: Cli, job_id: str, editor: str, why: str
) -> None:
    before = connected("jobs", "--json").stdout
    done = connected("rerun", job_id, "--edit", EDITOR=editor)
    if editor != "sed -i 1,3d":  # an empty file is an empty input
        assert done.returncode == 1
        assert why in done.stderr
        assert done.stderr.count("\n") == 1
        assert connected("jobs", "--json").stdout == before


def test_rerunning_an_unknown_job_is_an_error(connected: Cli) -> None:
    assert connected("rerun", "job_absent").returncode == 2
