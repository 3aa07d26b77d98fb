"""The console in a real browser: live, by keyboard, narrow, dark, and with hostile content."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from chaojiyuyan_client import NexusClient

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from playwright.sync_api import Page

    from chaojiyuyan_devserver.testing import LocalKernel

HOSTILE = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>'
LONG = "W" * 3000


def expect_text(page: Page, selector: str, text: str) -> None:
    page.locator(selector, has_text=text).first.wait_for()


def mark(page: Page) -> None:
    """Set a mark on the page that a reload would remove."""
    page.evaluate("window.mark = 'still here'")


def assert_not_reloaded(page: Page) -> None:
    assert page.evaluate("window.mark") == "still here"


def test_a_key_is_created_and_shown_once(page: Page, kernel: LocalKernel) -> None:
    page.goto("/keys")
    page.get_by_label("Name").fill("printer")
    page.get_by_role("button", name="Create key").click()
    key = page.locator("#new-key").inner_text()
    with NexusClient(key, kernel.base_url) as client:
        assert client.capabilities()
    page.reload()
    expect_text(page, "#live", "printer")
    assert key not in page.content()


def test_a_job_page_is_live_until_the_job_settles(
    page: Page, kernel: LocalKernel, kernel_client: httpx.Client, register: Callable[..., None]
) -> None:
    register(kernel_client, "media.image.campaign")
    page.goto("/catalog")
    page.get_by_role("link", name="Image campaign").click()
    page.get_by_label("prompt").fill("tea")
    page.get_by_label("count").fill("3")
    page.get_by_role("button", name="Call for 120 nc").click()
    page.wait_for_url("**/jobs/job_*")
    job_id = page.url.rpartition("/")[2]
    assert kernel.job(job_id)["input_envelope"] == {"prompt": "tea", "count": 3}
    mark(page)
    status = page.get_by_role("status")
    assert "bidding" in status.inner_text()

    kernel_client.post(f"/kernel-jobs/{job_id}/bid", json={})
    expect_text(page, "[role=status]", "running")
    kernel_client.post(f"/kernel-jobs/{job_id}/heartbeat")
    expect_text(page, ".attempt", "1 heartbeat")
    picture = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"
    artifacts = [{"kind": "image", "artifact_uri": picture, "mime_type": "image/svg+xml"}]
    submission = {"output_envelope": {"answer": 42}, "artifacts": artifacts}
    kernel_client.post(f"/kernel-jobs/{job_id}/submit", json=submission)
    expect_text(page, "[role=status]", "succeeded")
    expect_text(page, ".events", "Succeeded")
    expect_text(page, "pre.json", '"answer": 42')
    page.locator(".artifacts img").scroll_into_view_if_needed()
    picture = page.locator(".artifacts img")
    picture.evaluate("img => img.decode()")
    assert picture.evaluate("img => img.naturalWidth") == 9
    assert_not_reloaded(page)


def test_new_jobs_appear_without_a_reload(
    page: Page, kernel_client: httpx.Client, call: Callable[..., str]
) -> None:
    first = call(kernel_client)
    page.goto("/jobs")
    mark(page)
    page.locator(f"#row-{first}").wait_for()
    second = call(kernel_client)
    page.locator(f"#row-{second}").wait_for()
    assert_not_reloaded(page)
    page.get_by_role("link", name=re.compile("cancelled")).click()
    expect_text(page, ".empty", "No job matches")


def test_new_jobs_do_not_move_the_rows_being_read(
    page: Page, kernel: LocalKernel, kernel_client: httpx.Client, call: Callable[..., str]
) -> None:
    first = call(kernel_client)
    page.goto("/jobs")
    mark(page)
    row = page.locator(f"#row-{first}")
    row.locator("a").focus()
    place = row.bounding_box()
    second = call(kernel_client)
    kernel.cancel(first)
    expect_text(page, f"#row-{first}", "cancelled")  # times on the page are updated
    fresh = page.get_by_role("link", name="1 new job")
    fresh.wait_for()
    assert page.locator(f"#row-{second}").count() == 0
    assert row.bounding_box() == place
    assert row.locator("a").evaluate("e => e === document.activeElement")
    fresh.click()
    page.locator(f"#row-{second}").wait_for()
    assert_not_reloaded(page)


def test_a_search_is_repeated_on_the_open_page(
    page: Page, kernel_client: httpx.Client, call: Callable[..., str]
) -> None:
    page.clock.install()
    page.goto("/jobs?q=needle")
    mark(page)
    call(kernel_client, text="hay")
    found = call(kernel_client, text="needle")
    page.clock.run_for(5000)
    page.locator(f"#row-{found}").wait_for()
    assert page.locator(".jobs tbody tr").count() == 1
    assert_not_reloaded(page)


def test_a_whole_row_is_the_link(
    page: Page, kernel_client: httpx.Client, call: Callable[..., str]
) -> None:
    job_id = call(kernel_client, text="x")
    page.goto("/jobs")
    for cell in ("status", "preview", "took", "when"):
        box = page.locator(f"#row-{job_id} td.{cell}").bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.wait_for_url(f"**/jobs/{job_id}")
        page.go_back()


def test_the_list_shows_25_jobs_at_once(
    page: Page, kernel_client: httpx.Client, call: Callable[..., str]
) -> None:
    for number in range(26):
        call(kernel_client, number=number)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto("/jobs")
    whole = "rows => rows.filter(row => row.getBoundingClientRect().bottom <= innerHeight).length"
    assert page.locator(".jobs tbody tr").evaluate_all(whole) >= 25


def test_the_connect_box_closes_after_the_first_call(
    page: Page, kernel: LocalKernel, kernel_client: httpx.Client, call: Callable[..., str]
) -> None:
    page.goto("/")
    box = page.locator("#connect")
    assert box.get_attribute("open") is not None
    page.get_by_role("button", name="Create a key and show the commands").click()
    lines = page.locator("#shell").inner_text()
    key = re.search(r"CHAOJIYUYAN_API_KEY=(nxt_ag_\S+)", lines)
    assert key is not None
    assert f"HEBING_BASE_URL={kernel.base_url}" in lines
    with kernel.client(key.group(1)) as client:
        call(client)
    page.locator("#connect:not([open])").wait_for()
    page.goto("/")
    assert box.get_attribute("open") is None


def test_every_page_is_reachable_on_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/balances")
    more = page.get_by_role("button", name="Balances")  # the current tab is marked
    assert more.bounding_box()["y"] + 40 < 844  # type: ignore[index]
    more.click()
    page.get_by_role("link", name="Time and faults").click()
    page.get_by_role("heading", name="Time and faults").wait_for()
    page.get_by_role("link", name="Jobs", exact=True).first.click()
    page.wait_for_url("**/jobs")
    tab = page.locator(".tabs [aria-current=page]")
    assert tab.inner_text() == "Jobs"
    box = tab.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390


def test_a_page_reconnects_after_a_restart(
    page: Page,
    kernel: LocalKernel,
    kernel_client: httpx.Client,
    complaints: list[str],
    call: Callable[..., str],
) -> None:
    first = call(kernel_client)
    page.goto("/jobs")
    mark(page)
    page.locator(f"#row-{first}").wait_for()
    kernel.stop()
    page.get_by_text("The kernel does not respond").wait_for()
    kernel.start()
    second = call(kernel_client)
    page.locator(f"#row-{second}").wait_for()
    page.get_by_text("The kernel does not respond").wait_for(state="hidden")
    assert_not_reloaded(page)
    assert all(re.search("Failed to|network error", complaint) for complaint in complaints)
    complaints.clear()


def test_a_script_in_a_payload_is_shown_and_not_run(
    page: Page,
    kernel: LocalKernel,
    kernel_client: httpx.Client,
    call: Callable[..., str],
    register: Callable[..., None],
) -> None:
    register(kernel_client, "test.echo.v1")
    job_id = call(kernel_client, **{HOSTILE: HOSTILE})
    page.goto(f"/jobs/{job_id}")
    kernel_client.post(f"/kernel-jobs/{job_id}/bid", json={})
    artifacts = [
        {"kind": HOSTILE, "artifact_uri": "javascript:window.pwned=1", "mime_type": HOSTILE},
        {"kind": "image", "artifact_uri": f'data:image/png,"{HOSTILE}', "meta": {"a": HOSTILE}},
        {
            "kind": "image",
            "artifact_uri": "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'>"
            "<script>parent.pwned=1</script></svg>",
        },
    ]
    submission = {"output_envelope": {"a": HOSTILE}, "artifacts": artifacts}
    assert kernel_client.post(f"/kernel-jobs/{job_id}/submit", json=submission).is_success
    # both in the live update and in the loaded page
    for _ in range(2):
        expect_text(page, "section[aria-labelledby=output]", "<script>window.pwned=1</script>")
        assert (
            page.locator("main script, main img[src=x], main a[href^='javascript:']").count() == 0
        )
        assert page.evaluate("window.pwned") is None
        page.reload()


def test_a_click_resends_a_delivery(
    page: Page, kernel: LocalKernel, call: Callable[..., str]
) -> None:
    # no server listens there, so the tries fail and are shown
    kernel.configure_webhook("http://127.0.0.1:9/hook", "whsec_x")
    with kernel.client() as client:
        job_id = call(client)
    page.goto("/webhooks")
    mark(page)
    kernel.cancel(job_id)
    row = page.locator("#live tbody tr").first
    expect_text(page, "#live tbody tr", "last no answer")
    assert_not_reloaded(page)
    row.get_by_role("button", name="Resend").click()
    page.wait_for_url("**/deliveries/dlv_*")
    expect_text(page, "main", "ConnectError")
    page.goto("/webhooks")
    assert page.locator("#live tbody tr").count() == 2


PAGES = (
    "/",
    "/jobs",
    "/catalog",
    "/workers",
    "/keys",
    "/webhooks",
    "/balances",
    "/simulate",
    "/activate",
)


def test_no_page_scrolls_sideways_and_all_controls_have_labels(
    page: Page,
    kernel: LocalKernel,
    kernel_client: httpx.Client,
    call: Callable[..., str],
    register: Callable[..., None],
) -> None:
    register(kernel_client, "test.echo.v1", "text.digest.v1", "media.echo.v1")
    kernel.configure_webhook(f"http://127.0.0.1:9/{LONG}", "whsec_x")
    kernel.new_agent(LONG[:200])
    job_id = call(kernel_client, **{LONG: LONG, "list": [1, 2, {"deep": LONG}]})
    kernel_client.post(f"/kernel-jobs/{job_id}/bid", json={})
    artifacts = [{"kind": LONG, "artifact_uri": f"https://{LONG}", "meta": {"a": LONG}}]
    kernel_client.post(
        f"/kernel-jobs/{job_id}/submit",
        json={"output_envelope": {"a": LONG}, "artifacts": artifacts},
    )
    page.goto("/webhooks")
    delivery = page.locator("#live tbody a").first.get_attribute("href")
    forms = ("/catalog/media.image.campaign", "/catalog/test.echo.v1", f"/keys/{kernel.me().id}")
    for path in (*PAGES, *forms, f"/jobs/{job_id}", delivery or ""):
        for width in (320, 390, 768, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            if width == 320:
                page.goto(path)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{path} is {wide} wide at {width}"
        assert page.locator("h1").count() == 1
        unlabelled = "[...document.querySelectorAll('input:not([type=hidden]), select, textarea')]"
        assert page.evaluate(f"{unlabelled}.filter(e => !e.labels.length).length") == 0
        nameless = "[...document.querySelectorAll('a, button')].filter(e => !e.textContent.trim())"
        assert page.evaluate(f"{nameless}.length") == 0


def test_both_colour_schemes_have_enough_contrast(
    page: Page, kernel_client: httpx.Client, call: Callable[..., str], register: Callable[..., None]
) -> None:
    register(kernel_client, "test.echo.v1")
    for status in ("bidding", "running", "succeeded"):
        job_id = call(kernel_client, text="x", number=1, truth=True)
        if status != "bidding":
            kernel_client.post(f"/kernel-jobs/{job_id}/bid", json={})
        if status == "succeeded":
            submission = {"output_envelope": {}}
            kernel_client.post(f"/kernel-jobs/{job_id}/submit", json=submission)
    grounds = set()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        for path in ("/", f"/jobs/{job_id}", "/keys", "/jobs?status=failed"):
            page.goto(path)
            assert page.evaluate(FAINT) == [], f"{scheme} {path}"
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(grounds) == 2


# the texts whose contrast with their background is below WCAG AA's 4.5 to 1
FAINT = """
() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((part) => {
      const value = part / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = rgb(getComputedStyle(e).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const faint = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !element.checkVisibility()) continue;
    const [a, b] = [light(rgb(getComputedStyle(element).color)), light(ground(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) faint.push(`${element.textContent.trim()} ${contrast.toFixed(2)}`);
  }
  return faint;
}
"""
