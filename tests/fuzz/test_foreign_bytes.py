"""Fuzz every reader of untrusted bytes for a limited time; ``scripts/fuzz`` runs longer."""

from __future__ import annotations

import time

import pytest
from hypothesis import HealthCheck, given, settings

from support.fuzz_targets import TARGETS

MAX_SECONDS = 60 / len(TARGETS)
"""Seconds for one target; all targets together take at most a minute."""


@pytest.mark.parametrize("name", TARGETS)
def test_foreign_bytes_do_no_harm(name: str) -> None:
    target = TARGETS[name]
    end = time.monotonic() + MAX_SECONDS

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(target.values)
    def feed(value: object) -> None:
        if time.monotonic() < end:
            target.check(value)

    feed()
