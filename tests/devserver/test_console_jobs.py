"""Jobs, workers and balances in the console, and live updates."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from chaojiyuyan_devserver.testing import LocalKernel
    from support.browser import PlainBrowser


def listed(page: httpx.Response) -> list[str]:
    return re.findall(r'<tr id="row-(job_\w+)"', page.text)


def test_paging_shows_each_job_once_in_both_directions(
    kernel: LocalKernel,
    kernel_client: httpx.Client,
    browser: PlainBrowser,
    call: Callable[..., str],
) -> None:
    made = [call(kernel_client, number=number) for number in range(120)]
    kernel.cancel(made[7])
    page, seen = browser.get("/jobs"), []
    while True:
        seen.append(listed(page))
        older = re.search(r'rel="next" href="([^"]*)"', page.text)
        if older is None:
            break
        page = browser.get(older.group(1).replace("&amp;", "&"))
    assert [len(jobs) for jobs in seen] == [50, 50, 20]
    assert [job for jobs in seen for job in jobs] == made[::-1]
    for expected in reversed(seen[:-1]):
        newer = re.search(r'rel="prev" href="([^"]*)"', page.text)
        assert newer is not None
        page = browser.get(newer.group(1).replace("&amp;", "&"))
        assert listed(page) == expected
    cancelled = browser.get("/jobs?status=cancelled")
    assert listed(cancelled) == [made[7]]
    assert "cancelled <span>1</span>" in cancelled.text
    assert listed(browser.get("/jobs?capability=text.digest.v1")) == []
    assert listed(browser.get("/jobs?status=nonsense")) == []


def test_a_live_page_is_told_of_a_change(
    kernel_factory: Callable[..., LocalKernel],
    open_browser: Callable[[LocalKernel], PlainBrowser],
    call: Callable[..., str],
) -> None:
    kernel = kernel_factory()
    with kernel.client() as client, open_browser(kernel) as browser:
        job_id = call(client)
        with browser.stream("GET", f"/live?on={job_id}") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            lines = (line for line in stream.iter_lines() if line.startswith("event:"))
            assert next(lines) == "event: changed"  # at once: the page may be out of date
            kernel.cancel(job_id)
            assert next(lines) == "event: changed"
            kernel.stop()
            assert list(lines) == []


def test_workers_and_balances_are_shown(
    kernel: LocalKernel,
    kernel_client: httpx.Client,
    browser: PlainBrowser,
    call: Callable[..., str],
) -> None:
    assert "No worker has registered yet" in browser.get("/workers").text
    keys = {"capability_keys": ["test.echo.v1"]}
    kernel_client.post("/kernel-agents/me/capabilities", json=keys)
    job_id = call(kernel_client)
    kernel_client.post(f"/kernel-jobs/{job_id}/bid", json={})
    workers = browser.get("/workers").text
    assert "working" in workers
    assert f"/jobs/{job_id}" in workers
    balances = browser.get("/balances").text
    assert re.search(r"Sum over all accounts</td><td[^>]*>0 nc<", balances)
    assert job_id in balances


def test_a_job_is_cancelled_once(
    kernel: LocalKernel,
    kernel_client: httpx.Client,
    browser: PlainBrowser,
    call: Callable[..., str],
) -> None:
    job_id = call(kernel_client)
    assert "/cancel" in browser.get(f"/jobs/{job_id}").text
    cancelled = browser.press(f"/jobs/{job_id}/cancel")
    assert cancelled.url.path == f"/jobs/{job_id}"
    assert "/cancel" not in cancelled.text
    assert kernel.job(job_id)["status"] == "cancelled"
    assert kernel.balance()["held_nc"] == 0
    again = browser.press(f"/jobs/{job_id}/cancel")
    assert again.status_code == 409
    assert "it is cancelled" in again.text
