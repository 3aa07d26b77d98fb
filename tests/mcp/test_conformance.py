"""The protocol's conformance suite from npm, which ``scripts/node-tools`` installs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from chaojiyuyan_devserver.testing import LocalKernel
from support.mcp_http import TOKEN, HttpServer
from support.mcp_server import clean_environment, reach

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
NODE_TOOLS = Path(os.environ.get("CHAOJIYUYAN_NODE_TOOLS") or ROOT / ".hatch" / "node") / "bin"
PRELOAD = Path(__file__).with_name("conformance_token.cjs")

pytestmark = pytest.mark.skipif(
    not (NODE_TOOLS / "conformance").exists(),
    reason="no Node tools here: scripts/node-tools installs them",
)

CAPABILITIES = {
    "slow.compute": 1,
    "failing.job": 1,
    "test.input.required.result.elicitation": 5,
    "test.input.required.result.request.state": 5,
    "test.input.required.result.tampered.state": 5,
}
"""Capabilities whose tools have the names that the suite calls, and their prices."""

NOT_APPLICABLE = {
    "The server has no prompts, resources or completions.": """
        completion-complete/completion-complete
        caching/sep-2549-prompts-list-caching-hints
        caching/sep-2549-resources-list-caching-hints
        caching/sep-2549-resources-templates-list-caching-hints
        input-required-result-non-tool-request/sep-2322-non-tool-incomplete
        prompts-get-embedded-resource/prompts-get-embedded-resource
        prompts-get-simple/prompts-get-simple
        prompts-get-with-args/prompts-get-with-args
        prompts-get-with-image/prompts-get-with-image
        prompts-list/prompts-list
        resources-list/resources-list
        resources-read-binary/resources-read-binary
        resources-read-text/resources-read-text
        resources-templates-read/resources-templates-read
        sep-2164-resource-not-found/sep-2164-data-uri
        sep-2164-resource-not-found/sep-2164-error-code
    """,
    "The check needs the tool of an example server, or a form with its fields.": """
        input-required-result-basic-elicitation/sep-2322-elicitation-incomplete
        input-required-result-ignore-extra-params/sep-2322-ignore-unexpected-params
        input-required-result-multi-round/sep-2322-multi-round-r1
        input-required-result-multiple-input-requests/sep-2322-multiple-inputs-incomplete
        json-schema-2020-12/json-schema-2020-12-tool-found
        tasks-mrtr-composition/sep-2663-mrtr-synchronous-before-task-creation
        tasks-request-headers/tasks-headers-tolerate-mcp-method-on-tools-call
        tools-call-audio/tools-call-audio
        tools-call-embedded-resource/tools-call-embedded-resource
        tools-call-image/tools-call-image
        tools-call-mixed-content/tools-call-mixed-content
    """,
    "The server needs no sampling and no roots of its client.": """
        input-required-result-basic-list-roots/sep-2322-list-roots-incomplete
        input-required-result-basic-sampling/sep-2322-sampling-incomplete
        input-required-result-capability-check/sep-2322-respect-client-capabilities
        server-stateless/sep-2575-missing-capability-http-400
        server-stateless/sep-2575-server-rejects-undeclared-capability
    """,
    "No argument of a tool is sent as an HTTP header.": """
        http-custom-header-server-validation/sep-2243-server-decode-base64
        http-custom-header-server-validation/sep-2243-server-no-xmcp-tool
        http-custom-header-server-validation/sep-2243-server-reject-invalid-param-chars
        http-custom-header-server-validation/sep-2243-server-reject-param-mismatch
        http-custom-header-server-validation/sep-2243-server-validate-param-match
    """,
    "A failed job is a result with this status, not an error of the tool.": """
        tasks-lifecycle/sep-2663-tool-error-uses-completed-status
    """,
    "It wants three reports at once; a wait reports each new status, and every 5 s.": """
        tools-call-with-progress/tools-call-with-progress
    """,
    "No job ends in an error of the protocol.": """
        tasks-lifecycle/sep-2663-tasks-get-status-failed
    """,
    "The platform cannot cancel jobs, so a cancellation is acknowledged and the job continues.": """
        tasks-lifecycle/sep-2663-cancel-ack-empty-result
    """,
    "A job asks nothing while it runs: the user's consent comes before the task.": """
        tasks-mrtr-input/sep-2663-tasks-get-status-input-required
        tasks-mrtr-input/tasks-mrtr-partial-fulfillment
        tasks-mrtr-input/tasks-mrtr-tasks-update-resumes
    """,
    "Every tool serves clients without tasks as well: it waits.": """
        tasks-required-task-error/sep-2663-server-returns-missing-capability-when-required
    """,
}
"""The checks that this server cannot pass, as scenario/check, by the reason."""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Json]]:
    """Every check of the suite by its scenario, from one run."""
    folder = tmp_path_factory.mktemp("conformance")
    catalog = folder / "catalog.yaml"
    rows = [
        {"capability_key": key, "name": key, "category": "test", "price_nc": price}
        for key, price in CAPABILITIES.items()
    ]
    catalog.write_text(json.dumps(rows))
    options = ["--ask-above", "1"]
    for key in CAPABILITIES:
        options += ["--capability", key]
    with (
        LocalKernel(folder / "kernel", catalog=catalog) as kernel,
        Settling(kernel),
        HttpServer(folder, tuple(options), reach(kernel)) as server,
    ):
        command = ["server", "--url", server.url, "--requirements", "2026-07-28", "-o", "results"]
        done = subprocess.run(
            [str(NODE_TOOLS / "conformance"), *command],
            cwd=folder,
            env={
                **clean_environment(folder),
                "PATH": f"{NODE_TOOLS}{os.pathsep}{os.environ['PATH']}",
                "NODE_OPTIONS": f"--require {PRELOAD}",
                "MCP_TOKEN": TOKEN,
            },
            capture_output=True,
            text=True,
            timeout=100,
        )
    assert done.returncode in (0, 1), done.stderr
    return {
        scenario_of(path.parent.name): json.loads(path.read_text())
        for path in (folder / "results").glob("*/checks.json")
    }


def scenario_of(folder: str) -> str:
    """The name of a scenario, without the time of its run."""
    return re.sub(r"-\d{4}-\d\d-\d\dT.*", "", folder.removeprefix("server-"))


class Settling:
    """Settles the jobs of a kernel when the time that they ask for is over."""

    def __init__(self, kernel: LocalKernel) -> None:
        self._kernel = kernel
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        seen: dict[str, float] = {}
        with self._kernel.client() as client:
            while not self._stop.wait(0.1):
                rows = client.get("/kernel-jobs", params={"status": "bidding"}).json()["data"]
                for job in rows["items"]:
                    began = seen.setdefault(job["id"], time.monotonic())
                    payload = client.get(f"/kernel-jobs/{job['id']}").json()["data"]
                    seconds = payload["input_envelope"].get("seconds", 0)
                    if job["capability_key"] == "failing.job":
                        self._kernel.fail(job["id"])
                    elif time.monotonic() - began >= seconds:
                        self._kernel.settle(job["id"], {"slept": seconds})


def test_all_checks_that_apply_pass(results: dict[str, list[Json]]) -> None:
    failed = {
        f"{scenario}/{check['id']}": check.get("errorMessage")
        for scenario, checks in results.items()
        for check in checks
        if check["status"] not in ("SUCCESS", "INFO", "SKIPPED")
    }
    expected = {name for names in NOT_APPLICABLE.values() for name in names.split()}
    assert {name: failed[name] for name in sorted({*failed} - expected)} == {}
    assert sorted(expected - {*failed}) == [], "these pass by now"


def test_the_suite_was_run(results: dict[str, list[Json]]) -> None:
    passed = [
        f"{scenario}/{check['id']}"
        for scenario, checks in results.items()
        for check in checks
        if check["status"] == "SUCCESS"
    ]
    assert len(results) >= 50
    assert len(passed) >= 120
    for scenario in ("tasks-lifecycle", "tasks-wire-fields", "dns-rebinding-protection"):
        assert any(name.startswith(f"{scenario}/") for name in passed)
