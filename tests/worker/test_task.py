"""The task, which a handler gets."""

from __future__ import annotations

import logging
import pickle
from datetime import datetime, timezone

import pytest

from chaojiyuyan_core.errors import TaskCancelled
from chaojiyuyan_worker import JobProgress, TaskContext

ROW = {
    "job_id": "job-1",
    "capability_key": "a",
    "input_envelope": {"n": 1},
    "max_budget_nc": 5,
    "bid_expires_at": "2026-01-01T00:00:00Z",
}


def test_a_task_has_the_data_of_the_job() -> None:
    task = TaskContext(ROW, task_run_id="run-1", lease_expires_at="2026-01-01T00:00:30")
    assert (task.job_id, task.capability_key, task.task_run_id) == ("job-1", "a", "run-1")
    assert task.input is task.input_envelope == {"n": 1}
    assert task.max_budget_nc == 5
    assert task.bid_expires_at == datetime(2026, 1, 1, tzinfo=timezone.utc)
    assert task.lease_expires_at == datetime(2026, 1, 1, 0, 0, 30, tzinfo=timezone.utc)
    assert (task.attempt, task.validation_errors, task.artifacts) == (1, [], [])


def test_missing_members_have_a_neutral_value() -> None:
    task = TaskContext({"job_id": "job-1", "input_envelope": None, "max_budget_nc": "7"})
    assert (task.input, task.max_budget_nc) == ({}, 7)
    assert task.bid_expires_at is task.lease_expires_at is task.task_run_id is None


@pytest.mark.parametrize("budget", [float("inf"), float("nan"), "-9", "9" * 5000, None, [1]])
def test_an_invalid_budget_is_zero(budget) -> None:
    assert TaskContext({"max_budget_nc": budget}).max_budget_nc == 0


def test_a_cancelled_task_has_a_reason() -> None:
    task = TaskContext(ROW)
    called = []
    task.on_cancel(lambda: called.append("before"))
    task.raise_if_cancelled()
    assert task.cancelled is False
    task.cancel("the lease is lost")
    task.on_cancel(lambda: called.append("after"))
    assert task.cancelled is True
    assert called == ["before", "after"]
    with pytest.raises(TaskCancelled, match="job-1 is cancelled: the lease is lost"):
        task.raise_if_cancelled()


def test_artifacts_are_attached() -> None:
    task = TaskContext(ROW)
    task.attach(kind="json", artifact_uri="s3://a")
    task.attach(
        kind="image", artifact_uri="s3://b", mime_type="image/png", size_bytes=3, meta={"w": 1}
    )
    assert task.artifacts == [
        {"kind": "json", "artifact_uri": "s3://a"},
        {
            "kind": "image",
            "artifact_uri": "s3://b",
            "mime_type": "image/png",
            "size_bytes": 3,
            "meta": {"w": 1},
        },
    ]


def test_log_records_have_the_labels_of_the_job(caplog) -> None:
    caplog.set_level(logging.INFO)
    TaskContext(ROW, task_run_id="run-1").log.info("half of %d", 2, extra={"step": 1})
    record = caplog.records[0]
    assert record.getMessage() == "half of 2"
    assert (record.job_id, record.task_run_id, record.capability_key) == ("job-1", "run-1", "a")
    assert record.step == 1


def test_a_task_is_sent_to_another_process_as_plain_data() -> None:
    task = TaskContext(ROW, task_run_id="run-1", lease_expires_at="2026-01-01T00:00:30Z")
    task.attempt = 3
    again = TaskContext.from_plain(pickle.loads(pickle.dumps(task.to_plain())))
    assert again.input == task.input
    assert again.lease_expires_at == task.lease_expires_at
    assert again.attempt == 3


def test_progress_is_limited_to_its_range() -> None:
    task = TaskContext(ROW)
    assert task.last_progress is None
    for told, kept in ((0.4, 0.4), (-1, 0.0), (7, 1.0), (float("inf"), 1.0)):
        task.progress(told, "rendering")
        assert task.last_progress == JobProgress("job-1", "a", kept, "rendering")
    with pytest.raises(ValueError, match="NaN"):
        task.progress(float("nan"))
    assert task.last_progress.fraction == 1.0


def test_progress_is_a_log_line_for_each_percent(caplog) -> None:
    task = TaskContext(ROW)
    with caplog.at_level(logging.INFO, "chaojiyuyan_worker.task"):
        for step in range(1000):
            task.progress(step / 1000, "rendering")
    assert len(caplog.records) == 100
    assert caplog.records[40].getMessage() == "progress 40 %: rendering"
    assert caplog.records[40].job_id == "job-1"


def test_the_message_of_a_progress_is_cut() -> None:
    task = TaskContext(ROW)
    task.progress(0.5, "x" * 100_000)
    assert len(task.last_progress.message) == 200
