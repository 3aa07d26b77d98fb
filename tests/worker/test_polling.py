"""How often the poll asks, for what, and how it outlives faults."""

from __future__ import annotations

import itertools
import json

import httpx
import pytest

from chaojiyuyan_core.errors import AuthenticationError, PermissionDeniedError, WorkerNotEnabled
from chaojiyuyan_core.requests import Requests
from chaojiyuyan_core.transport import Transport
from chaojiyuyan_worker._run.offers import Offers
from chaojiyuyan_worker._run.polling import LONGEST_WAIT, Polling
from support.clocks import HandClock


class Bench:
    """A poll on a hand-driven clock, and the platform before it."""

    def __init__(
        self, *keys: str, interval: float = 1.0, register: bool = True, slots: int = 1
    ) -> None:
        self.clock = HandClock()
        self.requests: list[httpx.Request] = []
        self.pages: list[object] = []
        self.page: object = []
        self.registration: dict[str, object] = {"registered": [], "skipped_unknown": []}
        requests = Requests("nxt_ag_test_test", "http://localhost/api", timeout=30)
        self.client = httpx.Client(transport=httpx.MockTransport(self.answer))
        transport = Transport(requests, http_client=self.client)
        self.offers = Offers(dict.fromkeys(keys, 1), slots, self.clock)
        self.polling = Polling(
            transport,
            self.offers,
            keys,
            interval=interval,
            register=register,
            runtime=self.clock,
        )

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.url.path.endswith("capabilities"):
            return httpx.Response(201, json={"data": self.registration})
        page = self.pages.pop(0) if self.pages else self.page
        if isinstance(page, httpx.Response):
            return page
        if isinstance(page, Exception):
            raise page
        return httpx.Response(200, json={"data": {"jobs": page}})

    def step(self) -> float:
        """Poll once; return the seconds until the next poll, should nothing come of this one."""
        self.polling._step(False)
        due = max(self.polling._not_before, self.offers._suspended_until)
        pause = due - self.clock.at
        self.clock.at = max(self.clock.at, due)
        return pause

    @property
    def polls(self) -> list[httpx.Request]:
        return [request for request in self.requests if request.method == "GET"]


@pytest.fixture
def bench_of():
    made = []

    def make(*keys: str, **options) -> Bench:
        made.append(Bench(*(keys or ("a",)), **options))
        return made[-1]

    yield make
    for bench in made:
        bench.client.close()


def row(job_id: str, key: str = "a") -> dict[str, object]:
    return {"job_id": job_id, "capability_key": key, "input_envelope": {}}


def refused(status: int, code: str, **headers: str) -> httpx.Response:
    body = {"detail": {"error": "no", "code": code}}
    return httpx.Response(status, json=body, headers=headers)


def test_idle_polls_grow_from_50_ms_to_the_interval_and_stay(bench_of) -> None:
    bench = bench_of()
    pauses = [bench.step() for _ in range(20)]
    assert 0.05 <= pauses[0] <= 0.06
    assert all(later > earlier * 0.9 for earlier, later in itertools.pairwise(pauses))
    assert all(1.0 <= pause <= 1.1 for pause in pauses[10:])


def test_no_pause_is_above_a_short_interval(bench_of) -> None:
    bench = bench_of(interval=0.02)
    assert all(bench.step() <= 0.023 for _ in range(5))


def test_work_brings_the_pauses_back_to_the_shortest(bench_of) -> None:
    bench = bench_of()
    for _ in range(12):
        bench.step()
    bench.offers.awarded()
    assert bench.step() <= 0.06


def test_the_first_poll_is_not_held_and_the_later_ones_ever_longer(bench_of) -> None:
    bench = bench_of()
    for _ in range(7):
        bench.step()
    assert [request.headers.get("prefer") for request in bench.polls] == [
        None,
        "wait=2",
        "wait=4",
        "wait=8",
        "wait=16",
        "wait=20",
        "wait=20",
    ]
    assert bench.polls[-1].extensions["timeout"]["read"] > LONGEST_WAIT


def test_a_held_poll_that_brought_nothing_is_repeated_at_once(bench_of) -> None:
    bench = bench_of()
    for _ in range(12):
        bench.step()

    def hold(request: httpx.Request) -> httpx.Response:
        bench.clock.at += 20
        return httpx.Response(
            200, json={"data": {"jobs": []}}, headers={"preference-applied": "wait=20"}
        )

    bench.polling._transport.http_client._transport.handler = hold
    assert bench.step() < 0


def test_registration_goes_in_batches_of_50_and_tells_what_is_unknown(bench_of, caplog) -> None:
    bench = bench_of(*[f"key-{n}" for n in range(120)])
    bench.registration = {"registered": [], "skipped_unknown": ["key-7"]}
    bench.step()
    bodies = [json.loads(r.content) for r in bench.requests if r.method == "POST"]
    assert [len(body["capability_keys"]) for body in bodies] == [50, 50, 20]
    assert "key-7" in caplog.text


@pytest.mark.parametrize(
    "fault",
    [
        httpx.Response(503),
        httpx.Response(502, html="<title>Bad Gateway</title>"),
        httpx.Response(200, content=b"{"),
        httpx.Response(200, json={"data": {"jobs": "none"}}),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
    ],
)
def test_faults_are_outlived_with_backoff(bench_of, fault) -> None:
    bench = bench_of()
    bench.pages = [fault] * 20
    pauses = [bench.step() for _ in range(20)]
    assert pauses[0] <= 0.1
    assert all(2.5 <= pause <= 5.0 for pause in pauses[10:])
    assert not bench.polling.succeeded
    assert bench.step() <= 0.06
    assert bench.polling.succeeded


def test_retry_after_is_honoured_within_reason(bench_of) -> None:
    bench = bench_of()
    bench.pages = [
        refused(429, "slow_down", **{"retry-after": "17"}),
        refused(503, "busy", **{"retry-after": "86400"}),
    ]
    assert bench.step() == pytest.approx(17)
    assert bench.step() == pytest.approx(120)


def test_a_fault_makes_the_next_poll_answer_at_once(bench_of) -> None:
    bench = bench_of()
    for _ in range(6):
        bench.step()
    bench.pages = [httpx.Response(504)]
    bench.step()
    bench.step()
    assert "prefer" not in bench.polls[-1].headers


def test_malformed_rows_are_skipped_and_told_once(bench_of, caplog) -> None:
    bench = bench_of()
    bench.page = [{"job_id": 7}, "row", row(".."), row("job-1")]
    bench.step()
    assert bench.offers.take()["job_id"] == "job-1"
    bench.page = [{"job_id": 7}]
    bench.step()
    bench.step()
    assert caplog.text.count("skipped a malformed offer") <= 5


@pytest.mark.parametrize("code", ["worker_not_enabled", "capability_not_in_handler_set"])
def test_a_forgotten_registration_is_made_again(bench_of, code) -> None:
    bench = bench_of()
    bench.pages = [refused(403, code)]
    bench.step()
    bench.step()
    assert [request.method for request in bench.requests] == ["POST", "GET", "POST", "GET"]


def test_without_registering_a_worker_that_is_not_enabled_ends(bench_of) -> None:
    bench = bench_of(register=False)
    bench.pages = [refused(403, "worker_not_enabled")]
    with pytest.raises(WorkerNotEnabled):
        bench.step()


@pytest.mark.parametrize(
    ("status", "error"), [(401, AuthenticationError), (403, PermissionDeniedError)]
)
def test_a_rejected_key_ends_the_poll(bench_of, status, error) -> None:
    bench = bench_of()
    bench.pages = [refused(status, "invalid_key")]
    bench.polling.run()
    assert isinstance(bench.polling.fatal, error)
    assert bench.offers.closed


def asked_for(bench: Bench) -> list[str | None]:
    return [request.url.params.get("capability_key") for request in bench.polls]


def test_one_question_serves_all_capabilities(bench_of) -> None:
    bench = bench_of("a", "b")
    for _ in range(3):
        bench.step()
    assert asked_for(bench) == [None, None, None]


def test_a_single_capability_is_asked_for_by_name(bench_of) -> None:
    bench = bench_of("a")
    bench.step()
    assert asked_for(bench) == ["a"]


def test_foreign_rows_make_it_ask_for_each_in_turn_until_they_are_gone(bench_of) -> None:
    bench = bench_of("a", "b")
    foreign = [row("job-1", "other")]
    bench.pages = [foreign, [], foreign, [], [], []]  # the general ones are the first and third
    for _ in range(6):
        bench.step()
    assert asked_for(bench) == [None, "b", None, "a", "b", None]
    bench.step()
    assert asked_for(bench)[-1] is None


def test_foreign_rows_are_not_taken_and_the_poll_is_paced(bench_of) -> None:
    bench = bench_of("a")
    bench.page = [row("job-1", "other")]
    assert all(bench.step() > 0 for _ in range(12))
    assert bench.step() >= 1.0
    bench.offers.close()
    assert bench.offers.take() is None


def test_a_poll_in_turn_is_held_no_longer_than_the_interval(bench_of) -> None:
    bench = bench_of("a", "b")
    for _ in range(8):
        bench.step()
    bench.page = [row("job-1", "other")]
    bench.step()
    bench.step()
    assert bench.polls[-1].headers["prefer"] == "wait=1"


def test_while_a_capability_is_full_the_others_are_not_held_for_long(bench_of) -> None:
    bench = bench_of("a", "b", slots=4)
    for _ in range(8):
        bench.step()
    bench.pages = [[row("job-1")]]
    bench.step()
    bench.offers.take()
    bench.step()
    assert asked_for(bench)[-1] == "b"
    assert bench.polls[-1].headers["prefer"] == "wait=1"  # or a free slot waits for its jobs


def test_a_poll_outlives_that_every_capability_is_full(bench_of) -> None:
    bench = bench_of("a", "b", slots=4)
    bench.pages = [[row("job-1"), row("job-2", "b")]]
    bench.step()
    assert bench.offers.take()
    assert bench.offers.take()
    bench.step()
    assert asked_for(bench) == [None, None]
