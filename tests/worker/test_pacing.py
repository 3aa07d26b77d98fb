"""When polls are sent, and for how long they may be held."""

from __future__ import annotations

import itertools

import pytest

from chaojiyuyan_worker._run.pacing import Backoff, Pacing


def pauses(pacing: Pacing, count: int, *, turns: int = 1, draw: float = 0.0) -> list[float]:
    found = []
    for _ in range(count):
        pacing.note_page(100.0, turns, draw)
        found.append(pacing.not_before - 100.0)
    return found


def test_idle_polls_grow_from_50_ms_to_the_interval_and_stay() -> None:
    found = pauses(Pacing(1.0), 20)
    assert found[0] == pytest.approx(0.05)
    assert found[1] == pytest.approx(0.075)
    assert all(later >= earlier for earlier, later in itertools.pairwise(found))
    assert found[10:] == pytest.approx([1.0] * 10)


def test_jitter_only_lengthens() -> None:
    assert pauses(Pacing(1.0), 20, draw=1.0)[-1] == pytest.approx(1.1)


def test_the_first_poll_may_be_sent_at_once() -> None:
    assert Pacing(1.0).not_before == 0.0


def test_no_pause_is_above_a_short_interval() -> None:
    assert max(pauses(Pacing(0.02), 5)) == pytest.approx(0.02)


def test_work_brings_the_pauses_back_to_the_shortest() -> None:
    pacing = Pacing(1.0)
    pauses(pacing, 12)
    pacing.note_work()
    assert pauses(pacing, 1) == pytest.approx([0.05])


def test_the_first_poll_is_not_held_and_the_later_ones_ever_longer() -> None:
    pacing = Pacing(1.0)
    holds = []
    for _ in range(7):
        holds.append(pacing.hold(is_whole=True))
        pacing.note_page(100.0, 1, 0.0)
    assert holds == [0.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0]
    assert pacing.hold(is_whole=False) == 0.0


def test_a_fault_makes_the_next_poll_answer_at_once() -> None:
    pacing = Pacing(1.0)
    pauses(pacing, 6)
    pacing.note_fault()
    assert pacing.hold(is_whole=True) == 0.0
    pauses(pacing, 1)
    assert pacing.hold(is_whole=True) == 2.0


@pytest.mark.parametrize(("turns", "pause"), [(2, 0.5), (10, 0.1), (25, 0.04), (500, 0.04)])
def test_in_turn_each_capability_is_asked_for_once_an_interval(turns, pause) -> None:
    assert pauses(Pacing(1.0), 3, turns=turns) == pytest.approx([pause] * 3)


def test_in_turn_a_short_interval_holds() -> None:
    assert pauses(Pacing(0.01), 1, turns=4) == pytest.approx([0.01])


def test_faults_in_a_row_back_off() -> None:
    backoff = Backoff()
    delays = [backoff.fail(None, 0.0) for _ in range(9)]
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]
    assert backoff.faults == 9
    assert backoff.fail(None, 1.0) == 2.5
    backoff.succeed()
    assert backoff.fail(None, 0.0) == 0.1


def test_the_longer_of_retry_after_and_backoff_counts() -> None:
    backoff = Backoff()
    assert backoff.fail(20.0, 0.0) == 20.0
    assert [backoff.fail(0.01, 0.0) for _ in range(2)] == [0.2, 0.4]
