"""Offers and slots, without any I/O."""

from __future__ import annotations

import threading
import time

import pytest

from chaojiyuyan_worker._run.offers import Offers
from support.clocks import HandClock

FOREVER = float("inf")


def offer(job_id: str, key: str = "a") -> dict[str, str]:
    return {"job_id": job_id, "capability_key": key}


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def offers(clock):
    return Offers({"a": 2, "b": 1}, 2, clock)


def put(offers, clock, *rows, more=False, last=False) -> None:
    offers.put([(row, FOREVER) for row in rows], clock.clock(), more=more, last=last)


def test_offers_are_taken_in_order(offers, clock) -> None:
    put(offers, clock, offer("1"), offer("2"))
    assert [offers.take()["job_id"], offers.take()["job_id"]] == ["1", "2"]
    assert offers.in_hand == ["1", "2"]


def test_an_offer_is_dropped_when_its_bidding_is_over(offers, clock) -> None:
    offers.put([(offer("1"), 105.0), (offer("2"), 120.0)], clock.clock(), more=False, last=False)
    clock.at = 110.0
    assert offers.take()["job_id"] == "2"


def test_a_capability_without_room_is_passed_over(offers, clock) -> None:
    put(offers, clock, offer("1", "b"), offer("2", "b"), offer("3", "a"))
    assert [offers.take()["job_id"], offers.take()["job_id"]] == ["1", "3"]
    assert offers.room() == ["a", "b"]  # no slot is free: the next one may serve either


def test_what_was_in_hand_since_the_poll_was_sent_is_an_old_offer(offers, clock) -> None:
    asked = clock.clock()
    put(offers, clock, offer("1"), offer("2"))
    taken = offers.take()
    clock.at += 1
    offers.done(offers.take(), worked=True)
    offers.put([(offer("1"), FOREVER), (offer("2"), FOREVER)], asked, more=False, last=True)
    offers.done(taken, worked=True)
    assert offers.take() is None


def test_a_job_may_be_offered_again_after_it_was_let_go(offers, clock) -> None:
    put(offers, clock, offer("1"))
    offers.done(offers.take(), worked=True)
    clock.at += 30
    put(offers, clock, offer("1"))
    assert offers.take()["job_id"] == "1"


def test_after_the_last_page_slots_end_when_it_is_worked_off(offers, clock) -> None:
    put(offers, clock, offer("1", "b"), offer("2", "b"), last=True)
    first = offers.take()
    seen = []
    waiting = threading.Thread(target=lambda: seen.extend([offers.take(), offers.take()]))
    waiting.start()
    offers.done(first, worked=True)
    waiting.join(10)
    assert [row and row["job_id"] for row in seen] == ["2", None]


def test_slots_end_when_the_last_of_the_last_page_has_expired(clock) -> None:
    offers = Offers({"a": 1, "b": 2}, 3, clock)
    offers.put([(offer("1"), 105.0), (offer("2"), 105.0)], clock.clock(), more=False, last=True)
    first = offers.take()
    waiting = [threading.Thread(target=offers.take, daemon=True) for _ in range(3)]
    for slot in waiting:
        slot.start()
    while len(offers._offered._waiters) < len(waiting):
        time.sleep(0.001)
    clock.at = 110.0
    offers.done(first, worked=True)
    for slot in waiting:
        slot.join(10)
    assert not any(slot.is_alive() for slot in waiting)


def test_a_poll_is_wanted_when_a_slot_is_free_and_nothing_is_kept(offers, clock) -> None:
    activity = offers.activity
    assert offers.wait(0.0, activity, 0.0)
    put(offers, clock, offer("1"), offer("2"), offer("3"))
    assert not offers.wait(0.0, activity, 0.0)
    offers.take()
    offers.take()
    assert not offers.wait(0.0, activity, 0.0)


def test_an_idle_poll_waits_for_its_time_and_one_after_work_does_not(offers, clock) -> None:
    activity = offers.activity
    assert not offers.wait(clock.clock() + 5, activity, 0.0)
    put(offers, clock, offer("1"))
    taken = offers.take()
    assert not offers.wait(clock.clock() + 5, activity, 0.0)  # a bid alone is no work
    offers.awarded()
    assert offers.wait(clock.clock() + 5, activity, 0.0)
    offers.done(taken, worked=True)


def test_a_backlog_is_asked_for_ahead_of_need(clock) -> None:
    offers = Offers({"a": 8}, 8, clock)
    activity = offers.activity
    put(offers, clock, *[offer(str(n)) for n in range(8)], more=True)
    assert not offers.wait(0.0, activity, 0.0)
    for _ in range(2):
        offers.take()
    assert offers.wait(0.0, activity, 0.0)


def test_a_full_capability_does_not_keep_others_from_being_asked_for(clock) -> None:
    offers = Offers({"a": 1, "b": 1}, 2, clock)
    put(offers, clock, *[offer(str(n)) for n in range(50)], more=True)
    offers.take()
    assert offers.room() == ["b"]
    assert offers.wait(0.0, offers.activity, 0.0)


def test_nothing_is_asked_for_while_every_capability_is_full(clock) -> None:
    offers = Offers({"a": 1, "b": 1}, 4, clock)
    put(offers, clock, offer("1", "a"), offer("2", "b"))
    first, _ = offers.take(), offers.take()
    assert not offers.wait(clock.clock(), offers.activity, 0)
    assert offers.room() == ["a", "b"]
    offers.done(first, worked=True)
    assert offers.wait(clock.clock(), offers.activity, 0)
    assert offers.room() == ["a"]


def test_faults_suspend(offers, clock) -> None:
    put(offers, clock, offer("1"))
    offers.suspend(10)
    assert not offers.wait(0.0, -1, 0.0)
    clock.at += 10
    assert offers.wait(0.0, -1, 0.0)


def test_a_rivals_list_is_not_followed_in_step(clock) -> None:
    orders = set()
    for _ in range(20):
        offers = Offers({"a": 9}, 9, clock)
        put(offers, clock, *[offer(str(n)) for n in range(9)])
        offers.outbid()
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


def test_what_expired_while_the_slots_were_busy_is_asked_for_anew(clock) -> None:
    offers = Offers({"a": 1}, 1, clock)
    put(offers, clock, offer("1"))
    taken = offers.take()
    offers.put([(offer("2"), 110.0)], clock.clock(), more=False, last=False)
    clock.at = 120.0
    offers.done(taken, worked=True)
    wanted = []
    poll = threading.Thread(target=lambda: wanted.append(offers.wait(0.0, -1, 60.0)))
    poll.start()
    slot = threading.Thread(target=offers.take)
    slot.start()
    poll.join(10)
    assert wanted == [True]
    offers.close()
    slot.join(10)
