"""Open a worker's lifespan in the processes of a pool."""

from __future__ import annotations

from ._loading import load_worker
from ._run.lifespan import ProcessState, make_manager


class lifespan_initializer:  # noqa: N801 - it is called like a function
    """An initializer that opens a worker's lifespan in each process of a pool.

    ::

        ProcessPoolExecutor(4, initializer=lifespan_initializer("my_package.jobs:worker"))

    The lifespan is closed when the process ends. Handlers find the yielded value in ``task.state``.
    The lifespan must not be async, because an async lifespan belongs to the event loop of one
    process.

    Args:
        place: The module and the name of the worker, ``module:worker``.
    """

    def __init__(self, place: str) -> None:
        self._place = place

    def __call__(self) -> None:
        """Open the lifespan in this process.

        Raises:
            TypeError: The lifespan is async.
            ValueError: The worker does not exist or has no lifespan.
        """
        from multiprocessing.util import Finalize

        worker = load_worker(self._place)
        if worker.lifespan_function is None:
            raise ValueError(f"{self._place} has no lifespan")
        manager = make_manager(worker.lifespan_function, worker)
        if not hasattr(manager, "__enter__"):
            raise TypeError("an async lifespan cannot be opened in the process of a pool")
        ProcessState.value = manager.__enter__()
        Finalize(None, manager.__exit__, args=(None, None, None), exitpriority=0)
