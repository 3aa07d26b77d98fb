"""Kernels for the tests of the worker, and a keeper of leases with a steered clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chaojiyuyan_worker.leases import LeaseKeeper
from support.steered import Steered
from support.wires import FakeWire
from support.workers import LEASE, Site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from chaojiyuyan_devserver.testing import LocalKernel


@pytest.fixture(scope="session")
def short_lease_kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKernel]:
    from chaojiyuyan_devserver.testing import LocalKernel

    with LocalKernel(tmp_path_factory.mktemp("kernel"), lease=LEASE) as kernel:
        yield kernel


@pytest.fixture
def site(short_lease_kernel: LocalKernel, tmp_path: Path) -> Iterator[Site]:
    """A shared kernel with leases of two seconds, which is reset for every test."""
    short_lease_kernel.ensure_running()
    short_lease_kernel.reset()
    place = Site(short_lease_kernel, tmp_path)
    yield place
    place.close()


@pytest.fixture
def calm_site(tmp_path: Path) -> Iterator[Site]:
    """A separate kernel with leases that are long enough for a busy machine."""
    from chaojiyuyan_devserver.testing import LocalKernel

    with LocalKernel(tmp_path / "kernel", lease=30) as kernel:
        place = Site(kernel, tmp_path)
        yield place
        place.close()


@pytest.fixture
def wire() -> FakeWire:
    return FakeWire()


@pytest.fixture
def clock() -> Steered:
    return Steered()


@pytest.fixture
def keeper_of(wire: FakeWire, clock: Steered) -> Iterator[Callable[..., LeaseKeeper]]:
    """Makes keepers, which are closed at the end of the test with their threads."""
    made: list[LeaseKeeper] = []

    def make(**options: Any) -> LeaseKeeper:
        made.append(LeaseKeeper(wire, runtime=clock, **options))
        return made[-1]

    yield make
    clock.free.set()
    for keeper in made:
        keeper.close()
    for thread in clock.threads:
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture
def keeper(keeper_of: Callable[..., LeaseKeeper]) -> LeaseKeeper:
    return keeper_of()
