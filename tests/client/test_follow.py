"""`job.follow()` returns each event once, as it happens, until the job ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from chaojiyuyan_client._follow import Follower
from chaojiyuyan_core.errors import AuthenticationError, JobTimeout
from chaojiyuyan_core.http import Retry
from support.background import meanwhile

if TYPE_CHECKING:
    from collections.abc import Callable

ECHO = "test.echo.v1"


class Story:
    """Responds in turn with a status and with the events so far, or with a fault."""

    def __init__(self, script: Any, answer: Any) -> None:
        self.script, self.answer = script, answer

    def tell(self, follower: Follower, *chapters: object) -> list[str]:
        """Set the responses: each is (status, number of events) or a fault."""
        answers: list[Any] = []
        for chapter in chapters:
            if not isinstance(chapter, tuple):
                answers.append(self.answer(chapter) if isinstance(chapter, int) else chapter)
                continue
            status, count = chapter
            events = [{"id": f"e{number}", "event_type": "x"} for number in range(count)]
            answers += [
                self.answer(200, data={"id": "j1", "status": status}),
                self.answer(200, data={"items": events}),
            ]
        told: list[str] = []
        while not follower.has_ended:
            sent = len(self.script.sent)
            told += [event["id"] for event in self.script.play(follower.next_events(), *answers)]
            answers = answers[len(self.script.sent) - sent :]
        return told


@pytest.fixture
def story(script: Any, answer: Any) -> Story:
    return Story(script, answer)


@pytest.fixture
def follow(script: Any) -> Callable[..., Follower]:
    def make(timeout: float | None = None) -> Follower:
        return Follower("j1", timeout=timeout, retry=Retry(), now=script.now, draw=lambda: 0.0)

    return make


def test_each_event_comes_once_and_the_last_after_the_end(story: Story, follow: Any) -> None:
    chapters = [("queued", 1), ("queued", 1), ("running", 3), ("running", 3), ("succeeded", 5)]
    assert story.tell(follow(), *chapters) == ["e0", "e1", "e2", "e3", "e4"]


def test_an_ended_job_returns_all_events_at_once(story: Story, follow: Any) -> None:
    assert story.tell(follow(), ("failed", 2)) == ["e0", "e1"]
    assert story.script.sleeps == []


def test_the_intervals_grow_and_restart_with_an_event(story: Story, follow: Any) -> None:
    chapters = [("queued", 0)] * 20 + [("queued", 1), ("queued", 1), ("expired", 1)]
    story.tell(follow(), *chapters)
    sleeps = story.script.sleeps
    assert sleeps[:3] == [0.1, 0.125, 0.15625]
    assert max(sleeps) == 2
    assert sleeps[20] == 0.1


def test_faults_are_retried(story: Story, follow: Any) -> None:
    chapters = [("queued", 1), 503, httpx.ReadError("cut"), ("running", 2), 500, ("succeeded", 3)]
    assert story.tell(follow(), *chapters) == ["e0", "e1", "e2"]


def test_an_html_page_of_a_gateway_is_retried(story: Story, follow: Any) -> None:
    page = httpx.Response(403, html="<html>Access denied</html>")
    chapters = [("queued", 1), page, ("succeeded", 2)]
    assert story.tell(follow(), *chapters) == ["e0", "e1"]


def test_a_refusal_is_raised(story: Story, follow: Any) -> None:
    with pytest.raises(AuthenticationError):
        story.tell(follow(), ("queued", 1), 401)


def test_the_deadline_holds(story: Story, follow: Any) -> None:
    began = story.script.time
    with pytest.raises(JobTimeout) as caught:
        story.tell(follow(timeout=5), ("queued", 1), *[("running", 1)] * 50)
    assert story.script.time - began == pytest.approx(5)
    assert caught.value.status == "running"
    for timeout in (-1, float("nan")):
        with pytest.raises(ValueError, match="timeout"):
            follow(timeout=timeout)


def test_new_events_do_not_extend_the_deadline(
    script: Any, answer: Any, follow: Callable[..., Follower]
) -> None:
    def play(follower: Follower, status: str, count: int) -> list[Any]:
        job = answer(200, data={"id": "j1", "status": status})
        events = answer(200, data=[{"id": f"e{number}"} for number in range(count)])
        return script.play(follower.next_events(), job, events)

    endless, ended = follow(timeout=5), follow(timeout=5)
    for follower in (endless, ended):
        assert len(play(follower, "running", 1)) == 1
    script.time += 5
    assert len(play(ended, "succeeded", 2)) == 1
    with pytest.raises(JobTimeout):
        play(endless, "running", 2)
    assert len(play(follow(timeout=0), "running", 1)) == 1


def test_events_without_an_id_come_once(
    script: Any, answer: Any, follow: Callable[..., Follower]
) -> None:
    follower = follow()
    running = answer(200, data={"id": "j1", "status": "running"})
    one = answer(200, data=[{"event_type": "a"}])
    two = answer(200, data=[{"event_type": "a"}, {"event_type": "a"}])
    assert len(script.play(follower.next_events(), running, one)) == 1
    assert len(script.play(follower.next_events(), running, one, running, two)) == 1


def test_a_job_of_the_local_kernel_is_followed_to_its_end(client: Any, kernel: Any) -> None:
    job = client.call(ECHO, {})
    with meanwhile(lambda: kernel.settle(job.id, {}), delay=0.5):
        followed = list(job.follow(timeout=20))
    assert followed == list(job.events())
    assert len(followed) >= 2
