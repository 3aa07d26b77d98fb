"""Fixtures for tests against the local kernel; pytest loads them if the package is installed.

``kernel`` is a running kernel, reset before every test. ``kernel_client`` is an ``httpx.Client``
for it. ``kernel_factory`` starts separate kernels, which a test may kill and restart. The rest of
the package is imported only when a test uses one of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx

    from .testing import LocalKernel


@pytest.fixture(scope="session")
def _shared_kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKernel]:
    from .testing import LocalKernel

    with LocalKernel(tmp_path_factory.mktemp("kernel")) as kernel:
        yield kernel


@pytest.fixture
def kernel(_shared_kernel: LocalKernel) -> LocalKernel:
    """Return a running local kernel, one process for the whole session, reset for this test."""
    _shared_kernel.ensure_running()
    _shared_kernel.reset()
    return _shared_kernel


@pytest.fixture
def kernel_client(kernel: LocalKernel) -> Iterator[httpx.Client]:
    """Yield an ``httpx.Client`` with the kernel's base URL and its ready agent's key."""
    with kernel.client() as client:
        yield client


@pytest.fixture
def kernel_factory(tmp_path: Path) -> Iterator[Callable[..., LocalKernel]]:
    """Yield a function that starts kernels: ``kernel_factory(lease=2)`` passes ``--lease 2``.

    Its keyword arguments are flags of ``python -m chaojiyuyan_devserver``, with underscores for
    dashes: True for a flag without a value, a list for a repeated flag. All kernels are stopped
    when the test ends.
    """
    from .testing import LocalKernel

    started: list[LocalKernel] = []

    def start(**flags: object) -> LocalKernel:
        kernel = LocalKernel(tmp_path / f"kernel-{len(started)}", **flags)
        started.append(kernel)
        return kernel.start()

    yield start
    for kernel in started:
        kernel.stop()
