"""Which event wakes which waiter, without a socket."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from chaojiyuyan_devserver._catalog_files import load_builtin
from chaojiyuyan_devserver._service import KernelService
from chaojiyuyan_devserver._waiters import Changed, Ended, Offered, Waiters
from chaojiyuyan_devserver.kernel import Catalog, Order, Rules

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ECHO = "test.echo.v1"


def test_the_longest_waiting_future_is_resolved() -> None:
    async def scenario() -> None:
        waiters = Waiters()
        with waiters.waiting([Offered("a")]) as first, waiters.waiting([Offered("a")]) as second:
            assert waiters.wake(Offered("a"), 1)
            assert (first.done(), second.done()) == (True, False)
            assert not waiters.wake(Offered("a"), 5)
            assert second.done()
        assert not waiters.wake(Offered("a"))

    asyncio.run(scenario())


def test_topics_of_different_kinds_are_separate() -> None:
    async def scenario() -> None:
        waiters = Waiters()
        with waiters.waiting([Ended(7)]) as ended, waiters.waiting([Offered("Job")]) as offered:
            waiters.wake(Changed(7))
            waiters.wake(Changed("Job"))
            assert not ended.done()
            assert not offered.done()
            waiters.close()
            assert ended.done()
            assert offered.done()

    asyncio.run(scenario())


def with_polls(steps: Callable[[KernelService, list[asyncio.Task[None]]], Awaitable[None]]) -> None:
    """Run ``steps`` while a hundred polls of one worker wait."""

    async def scenario() -> None:
        service = KernelService(Catalog(load_builtin()), Rules(), None, lambda: None)
        await service.prepare()
        service.kernel.register(service.ready_agent, [ECHO])
        gone = service.loop.create_future()
        polls = [
            asyncio.ensure_future(service.wait_for([Offered(ECHO)], 30, gone)) for _ in range(100)
        ]
        await asyncio.sleep(0)
        service.create_job(service.ready_agent, Order(ECHO))
        await service.saved()
        await steps(service, polls)
        await service.close()
        await asyncio.gather(*polls)

    asyncio.run(scenario())


def test_a_new_job_wakes_one_of_a_hundred_polls() -> None:
    async def steps(service: KernelService, polls: list[asyncio.Task[None]]) -> None:
        await asyncio.wait(polls, return_when="FIRST_COMPLETED")
        assert sum(poll.done() for poll in polls) == 1
        [job] = service.kernel.jobs.board.jobs.values()
        service.kernel.jobs.bid(service.ready_agent, job)
        await service.saved()
        service.create_job(service.ready_agent, Order(ECHO))
        await service.saved()
        waiting = [poll for poll in polls if not poll.done()]
        await asyncio.wait(waiting, return_when="FIRST_COMPLETED")
        assert sum(poll.done() for poll in polls) == 2

    with_polls(steps)


def test_a_job_that_no_worker_takes_wakes_all_polls() -> None:
    async def steps(service: KernelService, polls: list[asyncio.Task[None]]) -> None:
        await asyncio.wait_for(asyncio.gather(*polls), 20)

    with_polls(steps)
