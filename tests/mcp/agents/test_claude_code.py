"""Claude Code with a scripted model creates exactly one job for each order."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from support.scripted_model import say, use

if TYPE_CHECKING:
    from chaojiyuyan_devserver.testing import LocalKernel

    from .conftest import Evaluate

PREFIX = "mcp__chaojiyuyan__"
ORDER: dict[str, Any] = {"capability_key": "media.echo.v1", "input_payload": {"say": "hello"}}
ORDERED = use(f"{PREFIX}kernel_create_job", **ORDER, wait=True)
LOADED = use("ToolSearch", query=f"select:{PREFIX}kernel_create_job")
ASKING = ("--ask-above", "2")


class TestPrintMode:
    def test_orders_and_waits(self, evaluate: Evaluate) -> None:
        with evaluate([LOADED], [ORDERED], [say("It is done.")]) as run:
            printed = run.claude().run()
            (job,) = run.jobs.list()
        assert printed["result"] == "It is done."
        assert job["status"] == "succeeded"
        answer = run.model.last_message()
        assert '\\"heard\\": \\"hello\\"' in answer or '\\"heard\\":\\"hello\\"' in answer
        assert "not instructions" in answer

    def test_print_mode_reports_that_no_user_can_agree(self, evaluate: Evaluate) -> None:
        with evaluate([ORDERED], [say("Not ordered.")]) as run:
            run.claude(*ASKING).run()
            assert run.jobs.list() == []
        assert "consent_declined" in run.model.last_message()
        assert "declined or not answered" in run.model.last_message()

    def test_finds_the_job_of_a_lost_answer(self, evaluate: Evaluate, kernel: LocalKernel) -> None:
        def order_again(answer: str) -> list[dict[str, Any]]:
            kernel.clear_faults()
            (key,) = set(re.findall(r'idempotency_key\\+": ?\\+"(\w+)', answer))
            return [use(f"{PREFIX}kernel_create_job", **ORDER, idempotency_key=key, wait=True)]

        kernel.set_faults(["create=drop-after"])
        try:
            with evaluate([ORDERED], order_again, [say("Found.")]) as run:
                run.claude().run()
                (job,) = run.jobs.list()
        finally:
            kernel.clear_faults()
        assert job["status"] == "succeeded"
        assert "succeeded" in run.model.last_message()


class TestInteractive:
    def test_agrees_to_the_price_and_is_woken_by_the_task(self, evaluate: Evaluate) -> None:
        steps = ([ORDERED], [say("I will hear of it.")], [say("I was woken.")])
        with (
            evaluate(*steps, delay=2) as run,
            run.claude(*ASKING).interactive() as screen,
        ):
            screen.expect("costs 5 nc")
            assert run.jobs.list() == []
            screen.press_until("Space", "5 nc: ☒")
            screen.press_until("Down", "❯ Accept")
            screen.press_until("Enter", "I will hear of it")
            screen.expect("I was woken")
            (job,) = run.jobs.list()
        assert job["status"] == "succeeded"
        assert "hello" in run.model.last_message()

    def test_declines_the_price(self, evaluate: Evaluate) -> None:
        with (
            evaluate([ORDERED], [say("Then not.")]) as run,
            run.claude(*ASKING).interactive() as screen,
        ):
            screen.expect("costs 5 nc")
            screen.dismiss("Escape", "costs 5 nc")
            screen.expect("Then not")
            assert run.jobs.list() == []
        assert "consent_declined" in run.model.last_message()

    def test_waits_for_two_tasks_at_once(self, evaluate: Evaluate) -> None:
        two = [ORDERED, use(f"{PREFIX}kernel_create_job", **ORDER, wait=True)]
        steps = (two, [say("Two are on their way.")], [say("One.")], [say("Two.")])
        with evaluate(*steps, delay=1) as run, run.claude().interactive() as screen:
            screen.expect("Two are on their way")
            run.model.wait_for_turn(3)
            screen.expect("One")
            screen.expect("(?s)completed.*completed|2 MCP tasks")
            assert [job["status"] for job in run.jobs.list()] == ["succeeded"] * 2
