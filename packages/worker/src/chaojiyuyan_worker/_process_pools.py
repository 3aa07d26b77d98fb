"""What a process of a pool opens before it runs handlers."""

from __future__ import annotations

from ._loading import load_worker
from ._run.lifespan import ProcessState, make_manager


class lifespan_initializer:  # noqa: N801 - it is called like a function
    """Opens a worker's lifespan in each process of a pool, and closes it when the process ends.

    ::

        ProcessPoolExecutor(4, initializer=lifespan_initializer("my_package.jobs:worker"))

    Handlers find what it yields as ``task.state``. It must be a plain one: an async lifespan
    belongs to the event loop of one process.

    Args:
        place: Where the worker is: ``module:worker``.
    """

    def __init__(self, place: str) -> None:
        self._place = place

    def __call__(self) -> None:
        """Open it in this process.

        Raises:
            TypeError: The lifespan is an async one.
            ValueError: There is no worker at that place, or it has no lifespan.
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
