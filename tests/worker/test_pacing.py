"""The times of polls, and the length of long-polls."""

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


def test_idle_pauses_grow_from_50_ms_to_the_interval() -> None:
    found = pauses(Pacing(1.0), 20)
    assert found[0] == pytest.approx(0.05)
    assert found[1] == pytest.approx(0.075)
    assert all(later >= earlier for earlier, later in itertools.pairwise(found))
    assert found[10:] == pytest.approx([1.0] * 10)


def test_jitter_only_makes_pauses_longer() -> None:
    assert pauses(Pacing(1.0), 20, draw=1.0)[-1] == pytest.approx(1.1)


def test_the_first_poll_may_be_sent_at_once() -> None:
    assert Pacing(1.0).not_before == 0.0


def test_no_pause_is_longer_than_a_short_interval() -> None:
    assert max(pauses(Pacing(0.02), 5)) == pytest.approx(0.02)


def test_work_resets_the_pauses_to_the_minimum() -> None:
    pacing = Pacing(1.0)
    pauses(pacing, 12)
    pacing.note_work()
    assert pauses(pacing, 1) == pytest.approx([0.05])


def test_long_polls_start_at_zero_and_grow() -> None:
    pacing = Pacing(1.0)
    holds = []
    for _ in range(7):
        holds.append(pacing.hold(is_whole=True))
        pacing.note_page(100.0, 1, 0.0)
    assert holds == [0.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0]
    assert pacing.hold(is_whole=False) == 0.0


def test_after_a_fault_the_next_poll_is_not_a_long_poll() -> None:
    pacing = Pacing(1.0)
    pauses(pacing, 6)
    pacing.note_fault()
    assert pacing.hold(is_whole=True) == 0.0
    pauses(pacing, 1)
    assert pacing.hold(is_whole=True) == 2.0


@pytest.mark.parametrize(("turns", "pause"), [(2, 0.5), (10, 0.1), (25, 0.04), (500, 0.04)])
def test_in_turn_each_capability_is_polled_once_an_interval(turns, pause) -> None:
    assert pauses(Pacing(1.0), 3, turns=turns) == pytest.approx([pause] * 3)


def test_in_turn_a_short_interval_holds() -> None:
    assert pauses(Pacing(0.01), 1, turns=4) == pytest.approx([0.01])


def test_consecutive_faults_back_off() -> None:
    backoff = Backoff()
    delays = [backoff.fail(None, 0.0) for _ in range(9)]
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]
    assert backoff.faults == 9
    assert backoff.fail(None, 1.0) == 2.5
    backoff.succeed()
    assert backoff.fail(None, 0.0) == 0.1


def test_the_longer_of_retry_after_and_backoff_is_used() -> None:
    backoff = Backoff()
    assert backoff.fail(20.0, 0.0) == 20.0
    assert [backoff.fail(0.01, 0.0) for _ in range(2)] == [0.2, 0.4]
