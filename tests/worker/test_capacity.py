"""Limits on running jobs, and given-up jobs."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from chaojiyuyan_worker._run.capacity import Capacity, count_workers
from chaojiyuyan_worker._run.given_up import MAX_REMEMBERED, GivenUp
from chaojiyuyan_worker._run.handlers import Handler
from chaojiyuyan_worker._run.options import RunOptions
from support.clocks import HandClock


def test_capabilities_and_slots_have_separate_limits() -> None:
    capacity = Capacity(3, {"a": 2, "b": 1})
    assert (capacity.free_slots, capacity.free_keys) == (3, ["a", "b"])
    capacity.start("b")
    capacity.start("a")
    assert (capacity.free_slots, capacity.free_keys) == (1, ["a"])
    capacity.start("a")
    assert (capacity.free_slots, capacity.free_keys) == (0, [])
    capacity.end("b")
    assert (capacity.free_slots, capacity.free_keys) == (1, ["b"])
    assert capacity.keys == ["a", "b"]


def test_capabilities_that_share_a_pool_share_its_workers() -> None:
    capacity = Capacity(9, {"a": 9, "b": 9, "c": 9}, {"a": ("pool", 2), "b": ("pool", 2)})
    capacity.start("a")
    capacity.start("b")
    assert capacity.free_keys == ["c"]
    capacity.end("a")
    assert capacity.free_keys == ["a", "b", "c"]


def test_the_capacity_of_a_run_follows_its_handlers() -> None:
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(2) as two:
        handlers = {
            "a": Handler("a", print, concurrency=5),
            "b": Handler("b", print, executor=two),
            "c": Handler("c", print),
        }
        capacity = Capacity.of(handlers, RunOptions(concurrency=3, executor=one))
        assert capacity.slots == 5
        capacity.start("a")  # on the worker's executor with one worker, like c
        assert capacity.free_keys == ["b"]
        capacity.start("b")
        capacity.start("b")
        assert capacity.free_keys == []
    assert Capacity.of({"a": Handler("a", print)}, RunOptions(concurrency=4)).slots == 4


def test_the_workers_of_an_executor_are_counted_if_known() -> None:
    with ThreadPoolExecutor(3) as threads, ProcessPoolExecutor(2) as processes:
        assert (count_workers(threads), count_workers(processes)) == (3, 2)
    assert count_workers(object()) is None  # for example of a cluster
    assert count_workers(None) is None

    class Empty:
        _max_workers = 0

    assert count_workers(Empty()) is None


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def test_a_job_given_up_for_good_is_never_bid_on(clock) -> None:
    given_up = GivenUp(clock.clock)
    given_up.add("job-1", 20.0, for_good=True)
    clock.at += 1e9
    assert "job-1" in given_up
    assert "job-2" not in given_up


def test_a_given_up_job_is_left_to_others_first(clock) -> None:
    given_up = GivenUp(clock.clock)
    given_up.add("job-1", 20.0, for_good=False)
    clock.at += 34.9
    assert "job-1" in given_up
    clock.at += 0.1
    assert "job-1" not in given_up
    given_up.add("job-1", -5.0, for_good=False)
    clock.at += 15.0
    assert "job-1" not in given_up


def test_an_unknown_job_is_not_given_up_after_a_boot() -> None:
    assert "job-1" not in GivenUp(HandClock(0.5).clock)


def test_the_number_of_remembered_jobs_is_limited(clock) -> None:
    given_up = GivenUp(clock.clock)
    for number in range(MAX_REMEMBERED + 1):
        given_up.add(f"job-{number}", 0.0, for_good=True)
    given_up.add("job-1", 0.0, for_good=True)  # again, so now it is one of the newest
    given_up.add("job-new", 0.0, for_good=True)
    assert [f"job-{n}" in given_up for n in (0, 1, 2, 3)] == [False, True, False, True]
