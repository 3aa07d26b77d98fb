"""Fixtures with kernels for the tests of the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.workers import LEASE, Site

if TYPE_CHECKING:
    from collections.abc import Iterator
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
