"""The complete search of the lease protocol: docs/guarantees.md follows from its rules."""

from __future__ import annotations

import pytest

from simulation.model import Rules, explore


def test_no_two_faults_break_the_protocol() -> None:
    found = explore(faults=2)

    assert found.broken is None, found.path
    assert found.states > 100_000  # the size of the search that docs/guarantees.md names


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param(Rules(margin=0), id="no margin"),
        pytest.param(Rules(from_sending=False), id="counted from the answer"),
        pytest.param(Rules(stop_at_loss=False), id="sends after the deadline"),
        pytest.param(Rules(atomic=False), id="waits between check and write"),
    ],
)
def test_each_rule_of_the_worker_is_needed(rules: Rules) -> None:
    found = explore(rules, faults=2)

    assert found.broken is not None
    assert "another's" in found.broken
