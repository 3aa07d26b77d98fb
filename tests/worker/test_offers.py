"""Offers and slots, without any I/O."""

from __future__ import annotations

import threading

import pytest

from chaojiyuyan_worker._run.capacity import Capacity
from chaojiyuyan_worker._run.given_up import GivenUp
from chaojiyuyan_worker._run.offers import MAX_KEPT, Offers
from support.clocks import HandClock
from support.workers import until

FOREVER = float("inf")


def offer(job_id: str, key: str = "a") -> dict[str, str]:
    return {"job_id": job_id, "capability_key": key}


def offers_of(limits, slots, clock) -> Offers:
    return Offers(Capacity(slots, limits), GivenUp(clock.clock), clock)


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def offers(clock):
    return offers_of({"a": 2, "b": 1}, 2, clock)


def put(offers, clock, *rows, more=False, last=False) -> int:
    return offers.put([(row, FOREVER) for row in rows], clock.clock(), more=more, last=last)


def test_offers_are_taken_in_order(offers, clock) -> None:
    put(offers, clock, offer("1"), offer("2"))
    assert [offers.take()["job_id"], offers.take()["job_id"]] == ["1", "2"]
    assert offers.running == ["1", "2"]


def test_an_offer_is_dropped_when_its_bid_window_ends(offers, clock) -> None:
    offers.put([(offer("1"), 105.0), (offer("2"), 120.0)], clock.clock(), more=False, last=False)
    clock.at = 110.0
    assert offers.take()["job_id"] == "2"


def test_a_capability_without_room_is_skipped(offers, clock) -> None:
    put(offers, clock, offer("1", "b"), offer("2", "b"), offer("3", "a"))
    assert [offers.take()["job_id"], offers.take()["job_id"]] == ["1", "3"]
    assert offers.need()[0] == ["a", "b"]  # no slot is free: the next one may serve either


def test_a_job_that_ran_since_the_poll_is_an_old_offer(offers, clock) -> None:
    asked = clock.clock()
    put(offers, clock, offer("1"), offer("2"))
    taken = offers.take()
    clock.at += 1
    offers.release(offers.take(), worked=True)
    offers.put([(offer("1"), FOREVER), (offer("2"), FOREVER)], asked, more=False, last=True)
    offers.release(taken, worked=True)
    assert offers.take() is None


def test_a_released_job_may_be_offered_again(offers, clock) -> None:
    put(offers, clock, offer("1"))
    offers.release(offers.take(), worked=True)
    clock.at += 30
    put(offers, clock, offer("1"))
    assert offers.take()["job_id"] == "1"


def test_slots_end_when_the_last_page_is_done(offers, clock) -> None:
    put(offers, clock, offer("1", "b"), offer("2", "b"), last=True)
    first = offers.take()
    seen = []
    waiting = threading.Thread(target=lambda: seen.extend([offers.take(), offers.take()]))
    waiting.start()
    offers.release(first, worked=True)
    waiting.join(10)
    assert [row and row["job_id"] for row in seen] == ["2", None]


def test_slots_end_when_the_last_offer_has_expired(clock) -> None:
    offers = offers_of({"a": 1, "b": 2}, 3, clock)
    offers.put([(offer("1"), 105.0), (offer("2"), 105.0)], clock.clock(), more=False, last=True)
    first = offers.take()
    waiting = [threading.Thread(target=offers.take, daemon=True) for _ in range(3)]
    for slot in waiting:
        slot.start()
    until(lambda: clock.waiting >= len(waiting))
    clock.at = 110.0
    offers.release(first, worked=True)
    for slot in waiting:
        slot.join(10)
    assert not any(slot.is_alive() for slot in waiting)


def test_a_poll_is_wanted_for_a_free_slot_without_offers(offers, clock) -> None:
    activity = offers.activity
    assert offers.wait(0.0, activity, 0.0)
    put(offers, clock, offer("1"), offer("2"), offer("3"))
    assert not offers.wait(0.0, activity, 0.0)
    offers.take()
    offers.take()
    assert not offers.wait(0.0, activity, 0.0)


def test_only_an_idle_poll_waits(offers, clock) -> None:
    activity = offers.activity
    assert not offers.wait(clock.clock() + 5, activity, 0.0)
    put(offers, clock, offer("1"))
    taken = offers.take()
    assert not offers.wait(clock.clock() + 5, activity, 0.0)  # a bid alone is no work
    offers.note_award()
    assert offers.wait(clock.clock() + 5, activity, 0.0)
    offers.release(taken, worked=True)


def test_more_of_a_backlog_is_requested_early(clock) -> None:
    offers = offers_of({"a": 8}, 8, clock)
    activity = offers.activity
    put(offers, clock, *[offer(str(n)) for n in range(8)], more=True)
    assert not offers.wait(0.0, activity, 0.0)
    for _ in range(2):
        offers.take()
    assert offers.wait(0.0, activity, 0.0)


def test_a_full_capability_does_not_stop_polls_for_others(clock) -> None:
    offers = offers_of({"a": 1, "b": 1}, 2, clock)
    put(offers, clock, *[offer(str(n)) for n in range(50)], more=True)
    offers.take()
    assert offers.need()[0] == ["b"]
    assert offers.wait(0.0, offers.activity, 0.0)


def test_no_poll_while_every_capability_is_full(clock) -> None:
    offers = offers_of({"a": 1, "b": 1}, 4, clock)
    put(offers, clock, offer("1", "a"), offer("2", "b"))
    first, _ = offers.take(), offers.take()
    assert not offers.wait(clock.clock(), offers.activity, 0)
    assert offers.need()[0] == ["a", "b"]
    offers.release(first, worked=True)
    assert offers.wait(clock.clock(), offers.activity, 0)
    assert offers.need()[0] == ["a"]


def test_faults_suspend_the_offers(offers, clock) -> None:
    put(offers, clock, offer("1"))
    offers.suspend(10)
    assert not offers.wait(0.0, -1, 0.0)
    clock.at += 10
    assert offers.wait(0.0, -1, 0.0)


def test_with_rivals_offers_are_taken_at_random(clock) -> None:
    orders = set()
    for _ in range(20):
        offers = offers_of({"a": 9}, 9, clock)
        put(offers, clock, *[offer(str(n)) for n in range(9)])
        offers.note_rival()
        orders.add(tuple(offers.take()["job_id"] for _ in range(9)))
    assert len(orders) > 1


def test_closed_offers_end_every_wait(offers) -> None:
    ended = []
    threads = [
        threading.Thread(target=lambda: ended.append(offers.take())),
        threading.Thread(target=lambda: ended.append(offers.wait(FOREVER, 0, 60.0))),
    ]
    for thread in threads:
        thread.start()
    offers.close()
    for thread in threads:
        thread.join(10)
    assert sorted(map(str, ended)) == ["False", "None"]


def test_expired_offers_are_requested_again(clock) -> None:
    offers = offers_of({"a": 1}, 1, clock)
    put(offers, clock, offer("1"))
    taken = offers.take()
    offers.put([(offer("2"), 110.0)], clock.clock(), more=False, last=False)
    clock.at = 120.0
    offers.release(taken, worked=True)
    wanted = []
    poll = threading.Thread(target=lambda: wanted.append(offers.wait(0.0, -1, 60.0)))
    poll.start()
    slot = threading.Thread(target=offers.take)
    slot.start()
    poll.join(10)
    assert wanted == [True]
    offers.close()
    slot.join(10)


def test_a_shorter_pause_never_replaces_a_longer_one(offers, clock) -> None:
    offers.suspend(20)
    offers.suspend(3)
    clock.at += 19.9
    assert not offers.wait(0.0, -1, 0.0)
    clock.at += 0.1
    assert offers.wait(0.0, -1, 0.0)


def test_a_given_up_job_is_not_taken_again(offers, clock) -> None:
    put(offers, clock, offer("1"), offer("2"))
    first, second = offers.take(), offers.take()
    offers.give_up("1", 20.0, for_good=True)
    offers.give_up("2", 20.0, for_good=False)
    offers.release(first, worked=True)
    offers.release(second, worked=True)
    clock.at += 30
    assert put(offers, clock, offer("1"), offer("2")) == 0
    clock.at += 10
    assert put(offers, clock, offer("1"), offer("2"), last=True) == 1
    assert offers.take()["job_id"] == "2"


def test_rows_of_a_full_capability_are_not_useful(offers, clock) -> None:
    put(offers, clock, offer("1", "b"))
    offers.take()
    assert put(offers, clock, offer("2", "b"), offer("3", "a")) == 1
    offers.take()
    assert put(offers, clock, offer("4", "b"), offer("5", "a")) == 2  # no slot is free at all


def test_few_rows_of_a_full_capability_are_kept(clock) -> None:
    offers = offers_of({"a": 1, "b": 1}, 2, clock)
    put(offers, clock, offer("0"))
    offers.take()
    put(offers, clock, *[offer(str(n)) for n in range(1, 100)], offer("b", "b"), last=True)
    kept = [offers.take()["job_id"]]
    while kept[-1] is not None and len(kept) < 200:
        offers.release(offer(kept[-1] if len(kept) > 1 else "0"), worked=True)
        row = offers.take()
        kept.append(row and row["job_id"])
    assert kept[0] == "b"
    assert len(kept) == MAX_KEPT + 2


def test_the_need_is_the_free_slots_and_a_page_ahead(clock) -> None:
    offers = offers_of({"a": 8}, 8, clock)
    assert offers.need() == (["a"], 8)
    put(offers, clock, *[offer(str(n)) for n in range(3)], more=True)
    offers.take()
    assert offers.need() == (["a"], 7 + MAX_KEPT)
