"""Finding jobs: by text, id, capability and time."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest

from chaojiyuyan_devserver._console.search import find_jobs, number_from
from chaojiyuyan_devserver._store.filters import JobFilter
from chaojiyuyan_devserver._store.store import Store
from chaojiyuyan_devserver.kernel.records import Job, Payload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from chaojiyuyan_devserver.testing import LocalKernel

    from .conftest import PlainBrowser


def listed(page: httpx.Response) -> list[str]:
    assert page.status_code == 200
    return re.findall(r'<tr id="row-(job_\w+)"', page.text)


def test_jobs_are_found_by_their_content(
    kernel: LocalKernel,
    kernel_client: httpx.Client,
    browser: PlainBrowser,
    register: Callable[..., None],
    call: Callable[..., str],
) -> None:
    register(kernel_client, "test.echo.v1")
    tide = call(kernel_client, text='the "Tide" turns 100%')
    digest = call(kernel_client, "text.digest.v1", text="潮水六点转向")
    failed = call(kernel_client)
    kernel.fail(failed, "disk_full", "no space left")
    done = call(kernel_client)
    kernel.settle(done, {"answer": "forty-two"})
    run = kernel.job(done)["attempts"][0]["task_run_id"]

    def found(**query: str) -> list[str]:
        return listed(browser.get("/jobs", params=query))

    assert found(q="tide") == [tide]
    assert found(q='"Tide"') == [tide]
    assert found(q="100%") == [tide]
    assert found(q="1__%") == []
    assert found(q="潮水") == [digest]
    assert found(q="no space") == [failed]
    assert found(q="disk_full") == [failed]
    assert found(q="forty-two") == [done]
    assert found(q=run) == [done]
    assert found(q=tide) == [tide]
    assert found(q=tide[:-1])[-1:] == [tide]
    assert found(q=done[-8:]) == [done]
    assert found(q=kernel.me().id) == [done, failed, digest, tide]
    assert found(capability="text.digest.v1") == [digest]
    assert found(status="failed", q="disk") == [failed]
    assert found(status="succeeded", q="disk") == []
    assert browser.get("/jobs", params={"q": "x" * 201}).status_code == 400


def test_jobs_are_found_by_time(
    kernel: LocalKernel,
    kernel_client: httpx.Client,
    browser: PlainBrowser,
    call: Callable[..., str],
) -> None:
    old = call(kernel_client)
    kernel.skip(1800)
    middle = call(kernel_client)
    kernel.skip(1860)
    new = call(kernel_client)
    assert listed(browser.get("/jobs?age=5m")) == [new]
    assert listed(browser.get("/jobs?age=1h")) == [new, middle]
    assert listed(browser.get("/jobs?age=24h")) == [new, middle, old]
    moment = kernel.job(middle)["created_at"][:19]
    assert listed(browser.get(f"/jobs?since={moment}")) == [new, middle]
    assert listed(browser.get(f"/jobs?until={moment}Z")) == [old]
    assert browser.get("/jobs?since=yesterday").status_code == 400


def test_a_value_common_to_all_rows_is_shown_once(
    kernel: LocalKernel,
    kernel_client: httpx.Client,
    browser: PlainBrowser,
    call: Callable[..., str],
) -> None:
    def columns(path: str) -> list[str]:
        return re.findall(r"<th [^>]*>([^<]*)</th>", browser.get(path).text)

    always = ["Job", "Input", "Created", "Took"]
    call(kernel_client)
    assert columns("/jobs") == ["Status", "Job", "Capability", "Input", "Created", "Took"]
    call(kernel_client)
    assert columns("/jobs") == ["Status", *always]
    assert columns("/jobs?status=bidding") == always
    (same,) = re.findall(r'<p class="same dim">(.*?)</p>', browser.get("/jobs").text)
    assert re.sub(r"<[^>]*>", "", same) == "All rows: test.echo.v1 caller ready"
    with kernel.client(kernel.new_agent("other").api_key) as other:
        call(other, "media.echo.v1")
    assert columns("/jobs") == [
        "Status", "Job", "Capability", "Input", "Caller", "Created", "Took",
    ]  # fmt: skip
    assert columns("/jobs?capability=test.echo.v1") == ["Status", *always]
    assert columns("/") == columns("/jobs")


# -- on a database --


@pytest.fixture
def store() -> Iterator[Store]:
    """A store with 5,000 jobs, one a second; every thousandth contains "needle"."""
    store = Store(None)
    records: list[object] = []
    for number in range(1, 5001):
        job = Job(
            id=f"job_{number:05}",
            number=number,
            agent_id="agt_1",
            account_id="acc_1",
            capability_key="test.echo.v1",
            price_nc=1,
            input_envelope={},
            channel_context=None,
            idempotency_key=None,
            timeout_sec=60,
            created_at=float(number),
            expires_at=number + 60.0,
            bid_expires_at=number + 60.0,
            status="succeeded",
        )
        body = {"text": "needle" if number % 1000 == 0 else "hay"}
        records += [job, Payload(job.number, "input", body)]
    store.write(records)
    yield store
    store.close()


def test_a_slow_search_can_be_continued_with_a_link(store: Store) -> None:
    async def search() -> None:
        wanted = JobFilter(text="needle")
        whole = await find_jobs(store, wanted)
        assert [row["number"] for row in whole.rows] == [5000, 4000, 3000, 2000, 1000]
        assert not whole.is_partial
        assert whole.older is None
        seen: list[int] = []
        before = None
        for _ in range(3):
            page = await find_jobs(store, wanted, before=before, seconds=0)
            seen += [row["number"] for row in page.rows]
            before = page.older
        assert seen == [5000, 4000, 3000, 2000, 1000]
        assert before is None

    asyncio.run(search())


def test_a_search_can_be_paged_in_both_directions(store: Store) -> None:
    async def search() -> None:
        wanted = JobFilter(text="hay")
        first = await find_jobs(store, wanted)
        second = await find_jobs(store, wanted, before=first.older)
        back = await find_jobs(store, wanted, after=second.newer)
        assert [row["number"] for row in back.rows] == [row["number"] for row in first.rows]
        assert second.rows[0]["number"] < first.rows[-1]["number"]

    asyncio.run(search())


@pytest.mark.parametrize(
    ("moment", "number"), [(0, 0), (2, 2), (2500, 2500), (2500.5, 2501), (5000, 5000), (9999, 5001)]
)
def test_a_time_is_found_by_binary_search(store: Store, moment: float, number: int) -> None:
    assert number_from(store, moment) == number
