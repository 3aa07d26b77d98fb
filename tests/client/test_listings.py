from __future__ import annotations

from typing import Any

import httpx
import pytest

PRODUCTION = "https://pic.chaojiyuyan.com/api/v1"
JOB = {"id": "j1", "status": "queued"}


def test_jobs_are_paged_lazily_with_any_kind_of_pages(mocked: Any) -> None:
    jobs = [{"id": f"j{n}", "status": "queued"} for n in range(120)]
    offsets: list[int] = []

    def pages(request: httpx.Request) -> httpx.Response:
        offset, limit = (int(request.url.params[name]) for name in ("offset", "limit"))
        offsets.append(offset)
        return httpx.Response(200, json={"data": {"items": jobs[offset : offset + limit]}})

    listing = mocked(pages).jobs()
    assert next(listing) == jobs[0]
    assert offsets == [0]
    assert list(listing) == jobs[1:]
    assert offsets == [0, 50, 100, 120]
    whole = mocked(lambda request: httpx.Response(200, json=jobs))
    assert list(whole.jobs()) == jobs
    small = mocked(lambda request: httpx.Response(200, json={"data": {"items": jobs[:20]}}))
    assert list(small.jobs()) == jobs[:20]


def test_a_shifting_list_yields_no_job_twice(mocked: Any) -> None:
    jobs = [{"id": f"j{n}", "status": "queued"} for n in range(60)]

    def pages(request: httpx.Request) -> httpx.Response:
        offset = int(request.url.params["offset"])
        page = jobs[offset : offset + 50]
        jobs.insert(0, {"id": f"new{offset}", "status": "queued"})
        return httpx.Response(200, json={"data": page})

    found = [job.id for job in mocked(pages).jobs()]
    assert len(found) == len(set(found))
    assert {f"j{n}" for n in range(60)} <= set(found)


def test_a_list_shifting_by_a_page_yields_every_job(mocked: Any) -> None:
    jobs = [{"id": f"j{n}", "status": "queued"} for n in range(300)]

    def pages(request: httpx.Request) -> httpx.Response:
        offset = int(request.url.params["offset"])
        page = jobs[offset : offset + 50]
        if offset in (50, 150):
            jobs[:0] = [{"id": f"new{offset}.{n}", "status": "queued"} for n in range(60)]
        return httpx.Response(200, json={"data": page})

    found = [job.id for job in mocked(pages).jobs()]
    assert len(found) == len(set(found))
    assert {f"j{n}" for n in range(300)} <= set(found)


def test_a_limit_ends_the_listing(mocked: Any) -> None:
    jobs = [{"id": f"j{n}", "status": "queued"} for n in range(120)]
    asked: list[tuple[int, int]] = []

    def pages(request: httpx.Request) -> httpx.Response:
        offset, limit = (int(request.url.params[name]) for name in ("offset", "limit"))
        asked.append((offset, limit))
        return httpx.Response(200, json={"data": jobs[offset : offset + limit]})

    client = mocked(pages)
    assert list(client.jobs(limit=0)) == []
    assert asked == []
    assert list(client.jobs(limit=5)) == jobs[:5]
    assert list(client.jobs(limit=70)) == jobs[:70]
    assert asked == [(0, 5), (0, 50), (50, 20)]
    for limit in (-1, 1.5):
        with pytest.raises(ValueError, match="limit"):
            client.jobs(limit=limit)


def test_a_server_that_ignores_the_offset_ends_the_listing(mocked: Any) -> None:
    asked: list[int] = []

    def newest(request: httpx.Request) -> httpx.Response:
        asked.append(int(request.url.params["offset"]))
        first = 1000 + 7 * len(asked)  # seven new jobs since the last request
        page = [{"id": f"j{n}", "status": "queued"} for n in range(first, first - 50, -1)]
        return httpx.Response(200, json={"data": page})

    found = [job.id for job in mocked(newest).jobs()]
    assert len(found) == len(set(found)) == 50 + 3 * 7
    assert len(asked) == 4


def test_jobs_are_filtered(client: Any, kernel: Any) -> None:
    done, other = client.call("test.echo.v1", {}), client.call("media.echo.v1", {})
    kernel.settle(done.id, {})
    assert [job.id for job in client.jobs(status="succeeded")] == [done.id]
    assert [job.id for job in client.jobs(capability_key="media.echo.v1")] == [other.id]
    listed = next(iter(client.jobs(status="succeeded")))
    assert listed.result(timeout=5) == {}
