"""Call a handler on a thread without the worker's event loop."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from chaojiyuyan_worker.task import TaskContext


def call_handler(function: Callable[[TaskContext], object], task: TaskContext) -> object:
    """Call a handler. A coroutine runs in a new event loop.

    Args:
        function: The handler.
        task: Its task.
    """
    import inspect

    try:
        result = function(task)
        if inspect.iscoroutine(result):
            import asyncio

            return asyncio.run(
                _await_cancellably(cast("Coroutine[object, object, object]", result), task)
            )
    except Exception:
        raise
    except BaseException as error:
        import asyncio
        import concurrent.futures

        # asyncio's CancelledError is not an Exception and would stop the worker. The other one is
        # a failure of the handler.
        if isinstance(error, asyncio.CancelledError):
            raise concurrent.futures.CancelledError(*error.args) from error
        raise
    return result


async def _await_cancellably(
    coroutine: Coroutine[object, object, object], task: TaskContext
) -> object:
    """Await a coroutine, and cancel it when its task is cancelled."""
    import asyncio

    loop, inner = asyncio.get_running_loop(), asyncio.ensure_future(coroutine)

    def cancel() -> None:
        with suppress(RuntimeError):  # the loop is closed, so the coroutine has ended
            loop.call_soon_threadsafe(inner.cancel)

    task.on_cancel(cancel)
    return await inner
