"""The capabilities and the number of rows of polls."""

from __future__ import annotations

import pytest

from chaojiyuyan_worker._run.poll_plan import ONE_CYCLE_ROWS, Poll, PollPlan

KEYS = ["a", "b", "c"]
SMALL = 500


def test_one_poll_is_for_all_capabilities() -> None:
    plan = PollPlan(KEYS)
    assert plan.next(["a"], 1) == Poll(None, 3)
    assert plan.next(["a"], 1).is_whole
    assert plan.turns(KEYS) == 1


def test_a_single_capability_is_polled_by_its_key() -> None:
    assert PollPlan(["a"]).next(["a"], 1) == Poll("a", 3)


@pytest.mark.parametrize(("wanted", "limit"), [(1, 3), (8, 10), (47, 49), (48, 50), (500, 50)])
def test_the_first_poll_requests_the_free_slots_and_a_few(wanted, limit) -> None:
    assert PollPlan(KEYS).next(KEYS, wanted).limit == limit


@pytest.mark.parametrize(
    ("row_bytes", "limit"),
    [
        (SMALL, 9),
        (131_072, 9),
        (262_144, 5),
        (1 << 20, 3),
        (5.6 * (1 << 20), 2),
        (8 << 20, 2),
        (10 << 20, 1),
        (1e9, 1),
    ],
)
def test_large_rows_make_small_pages(row_bytes, limit) -> None:
    plan = PollPlan(KEYS)
    plan.note_page(Poll(None, 3), 2, 2, int(row_bytes * 2))
    assert plan.next(KEYS, 1).limit == limit


def test_an_empty_page_does_not_change_the_size_of_rows() -> None:
    plan = PollPlan(KEYS)
    plan.note_page(Poll(None, 3), 0, 0, 15)
    assert plan.next(KEYS, 1).limit == 3


def test_a_page_that_is_too_large_is_halved() -> None:
    plan = PollPlan(KEYS)
    limits = []
    for _ in range(7):
        plan.note_fault()
        limits.append(plan.next(KEYS, 50).limit)
    assert limits == [25, 12, 6, 3, 1, 1, 1]
    plan.note_page(Poll(None, 1), 1, 1, SMALL)
    plan.note_page(Poll(None, 2), 2, 2, SMALL)
    assert plan.next(KEYS, 50).limit == 4


def full_of_others(plan: PollPlan, times: int = 1) -> list[int]:
    """Respond to polls with full pages of rows that this process cannot take."""
    limits = []
    for _ in range(times):
        poll = plan.next(KEYS, 1)
        limits.append(poll.limit)
        plan.note_page(poll, poll.limit, 0, poll.limit * SMALL)
    return limits


def test_a_page_full_of_other_rows_makes_the_next_one_larger() -> None:
    plan = PollPlan(KEYS)
    assert full_of_others(plan, 5) == [3, 9, 18, 36, 50]
    assert plan.is_crowded


def test_a_page_that_is_not_full_hides_nothing() -> None:
    plan = PollPlan(KEYS)
    for _ in range(10):
        poll = plan.next(KEYS, 1)
        plan.note_page(poll, poll.limit - 1, 0, SMALL)
    assert not plan.is_crowded
    assert plan.next(KEYS, 1).limit <= 10


def test_a_full_page_of_usable_rows_hides_nothing() -> None:
    plan = PollPlan(KEYS)
    for _ in range(10):
        poll = plan.next(KEYS, 48)
        plan.note_page(poll, poll.limit, poll.limit, SMALL)
    assert not plan.is_crowded


def test_when_crowded_capabilities_are_polled_in_turn() -> None:
    plan = PollPlan(KEYS)
    full_of_others(plan, 5)
    assert plan.turns(["a", "c"]) == 3
    polls = [plan.next(["a", "c"], 1) for _ in range(6)]
    assert {poll.capability_key for poll in polls[:3]} == {"a", "c", None}
    assert [poll.capability_key for poll in polls[:3]] == [p.capability_key for p in polls[3:]]
    assert {poll.limit for poll in polls if poll.capability_key} == {9}
    assert {poll.limit for poll in polls if not poll.capability_key} == {50}
    assert not any(poll.is_whole for poll in polls)


def test_polling_in_turn_ends_when_the_general_page_has_room() -> None:
    plan = PollPlan(KEYS)
    full_of_others(plan, 5)
    plan.note_page(Poll("a", 9, is_whole=False), 0, 0, 15)  # without information about the others
    assert plan.is_crowded
    plan.note_page(Poll(None, 50, is_whole=False), 49, 0, SMALL * 49)
    assert not plan.is_crowded
    assert plan.next(KEYS, 1) == Poll(None, 9)


def test_large_rows_crowd_at_their_largest_page() -> None:
    plan = PollPlan(KEYS)
    for _ in range(6):
        poll = plan.next(KEYS, 1)
        plan.note_page(poll, poll.limit, 0, poll.limit * (10 << 20))
    assert plan.is_crowded
    assert max(plan.next(KEYS, 1).limit for _ in range(4)) == 1


def test_a_single_capability_is_never_polled_in_turn() -> None:
    plan = PollPlan(["a"])
    for _ in range(6):
        poll = plan.next(["a"], 1)
        plan.note_page(poll, poll.limit, 0, poll.limit * SMALL)
    assert plan.turns(["a"]) == 1
    assert plan.next(["a"], 1) == Poll("a", 50)


def test_two_capabilities_are_polled_in_turn() -> None:
    plan = PollPlan(["a", "b"])
    for _ in range(5):
        poll = plan.next(["a"], 1)
        plan.note_page(poll, poll.limit, 0, poll.limit * SMALL)
    assert plan.turns(["a"]) == 2
    keys = [plan.next(["a"], 1).capability_key for _ in range(4)]
    assert keys in (["a", None, "a", None], [None, "a", None, "a"])
    plan.note_page(Poll("a", 9, is_whole=False), 0, 0, 15)
    assert plan.is_crowded


def test_once_requests_the_platforms_default() -> None:
    assert ONE_CYCLE_ROWS == 10
