"""Fixtures for tests against the local kernel, loaded by pytest where the package is installed.

``kernel`` is a running kernel, clean for every test; ``kernel_client`` an ``httpx.Client`` for it;
``kernel_factory`` starts private ones, to be killed and restarted. Nothing else is imported until a
test asks for one of these.
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
    """A running local kernel: a real process, shared by the session, clean at the test's start."""
    _shared_kernel.ensure_running()
    _shared_kernel.reset()
    return _shared_kernel


@pytest.fixture
def kernel_client(kernel: LocalKernel) -> Iterator[httpx.Client]:
    """An ``httpx.Client`` with the kernel's base URL and its ready agent's key."""
    with kernel.client() as client:
        yield client


@pytest.fixture
def kernel_factory(tmp_path: Path) -> Iterator[Callable[..., LocalKernel]]:
    """Starts private kernels: ``kernel_factory(lease=2)`` runs one with ``--lease 2``.

    Keyword arguments are flags of ``python -m chaojiyuyan_devserver``, with underscores for dashes;
    True stands for a flag without a value, a list for one that is repeated. All are stopped when
    the test ends.
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
