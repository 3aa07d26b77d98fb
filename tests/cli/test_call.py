"""`call` orders a job, waits for it, and prints and saves its output."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from chaojiyuyan_cli._artifacts import file_name
from chaojiyuyan_cli._failures import explain
from chaojiyuyan_core.errors import JobTimeout, PermissionDeniedError
from support.command_line import finish, interrupt, job_id_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from chaojiyuyan_devserver.testing import LocalKernel
    from support.command_line import Cli
    from support.fake_platform import FakePlatform
    from support.terminal import Terminal

CAP = "test.echo.v1"


def test_a_call_prints_the_documented_lines(connected: Cli, kernel: LocalKernel) -> None:
    done = connected("call", CAP, "--input", '{"text": "hä"}')
    created, status, follow = done.stdout.splitlines()
    job_id = created.removeprefix("Job created: ")
    assert status.startswith("Status: ")
    assert f"chaojiyuyan events {job_id} --follow" in follow
    assert kernel.job(job_id)["input_envelope"] == {"text": "hä"}


@pytest.mark.parametrize("source", ["input", "stdin", "file", "none"])
def test_the_input_comes_from_an_option_a_file_or_stdin(
    connected: Cli, kernel: LocalKernel, source: str, tmp_path: Path
) -> None:
    (tmp_path / "input.json").write_bytes(b'\xef\xbb\xbf{"n": 1}')
    arguments = {
        "input": ["--input", '{"n": 1}'],
        "stdin": ["--input", "-"],
        "file": ["--input-file", str(tmp_path / "input.json")],
        "none": [],
    }[source]
    done = connected("call", CAP, *arguments, "--json", stdin='{"n": 1}')
    job = json.loads(done.stdout)
    assert kernel.job(job["id"])["input_envelope"] == ({} if source == "none" else {"n": 1})


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--input", "{"], "not valid JSON"),
        (["--input", "[]"], "must be an object"),
        (["--input", '{"a": NaN}'], ""),
        (["--input", "[" * 100_000], "not valid JSON"),
        (["--input-file", "absent.json"], "No such file"),
        (["--input-file", "."], "Is a directory"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_an_invalid_input_is_reported_on_one_line(
    connected: Cli, arguments: list[str], why: str
) -> None:
    done = connected("call", CAP, *arguments)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert why in done.stderr
    assert done.stdout == ""


def test_input_that_is_not_utf_8_is_reported(connected: Cli) -> None:
    done = connected("call", CAP, "--input", "-", stdin=b'{"a": "\xff"}')
    assert done.returncode == 1
    assert "not valid JSON: 'utf-8'" in done.stderr


def test_the_input_is_checked_against_the_schema_before_the_order(connected: Cli) -> None:
    before = connected("jobs", "--json").stdout
    done = connected("call", "text.digest.v1", "--input", '{"text": 5}')
    assert done.returncode == 1
    assert "text" in done.stderr
    assert "string" in done.stderr
    assert done.stderr.count("\n") == 1
    assert connected("jobs", "--json").stdout == before


def test_two_inputs_are_a_usage_error(connected: Cli) -> None:
    assert connected("call", CAP, "--input", "{}", "--input-file", "x").returncode == 2


def test_an_unknown_capability_is_an_error_with_suggestions(connected: Cli) -> None:
    done = connected("call", "no.such.v1")
    assert done.returncode == 2
    assert "unknown_capability" in done.stderr
    done = connected("call", "text.digst.v1")
    assert done.returncode == 2
    assert "Did you mean text.digest.v1?" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("timeout", ["-1", "nan", "inf", "x"])
def test_an_invalid_timeout_orders_nothing(connected: Cli, timeout: str) -> None:
    before = connected("jobs", "--json").stdout
    assert connected("call", CAP, "--timeout", timeout).returncode == 2
    assert connected("call", CAP, f"--timeout={timeout}", "--wait").returncode == 2
    assert connected("jobs", "--json").stdout == before


def test_field_options_become_the_input(connected: Cli, kernel: LocalKernel) -> None:
    done = connected(
        *("call", "text.digest.v1", "--text", "1.0", "--json", "--filename=a b.txt"),
        *("--input", '{"text": "replaced", "more": 1}'),
    )
    assert done.returncode == 0, done.stderr
    payload = kernel.job(json.loads(done.stdout)["id"])["input_envelope"]
    assert payload == {"text": "1.0", "filename": "a b.txt", "more": 1}


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--txt", "hi"], "Did you mean '--text'?"),
        (["--wiat"], "Did you mean '--wait'?"),
        (["--text"], "needs a value"),
        (["--text", "--wait"], "needs a value"),
        (["stray"], "unexpected extra argument (stray)"),
        (["--text", "a", "--text", "b"], "more than once"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_unknown_or_mistyped_field_orders_nothing(
    connected: Cli, arguments: list[str], why: str
) -> None:
    before = connected("jobs", "--json").stdout
    done = connected("call", "text.digest.v1", *arguments)
    assert done.returncode == 2
    assert why in done.stderr
    assert connected("jobs", "--json").stdout == before


def test_a_field_before_the_capability_is_a_usage_error(connected: Cli) -> None:
    done = connected("call", "--text", "hi", "text.digest.v1")
    assert done.returncode == 2
    assert "before its fields" in done.stderr


def test_the_same_idempotency_key_returns_the_same_job(connected: Cli) -> None:
    jobs = {connected("call", CAP, "--idempotency-key", "once").stdout for _ in range(2)}
    assert len(jobs) == 1


def test_a_wait_prints_the_output(connected: Cli, kernel: LocalKernel) -> None:
    process = connected.start("call", CAP, "--wait")
    kernel.settle(job_id_of(process), {"text": "名"})
    stdout, stderr = finish(process)
    assert process.returncode == 0
    assert "Final status: succeeded" in stdout
    assert json.loads(stdout[stdout.index("{") :]) == {"text": "名"}
    assert stderr == ""


def test_a_failed_job_gives_exit_code_3(connected: Cli, kernel: LocalKernel) -> None:
    process = connected.start("call", CAP, "--wait")
    kernel.fail(job_id_of(process), code="too_big", message="the input is too big")
    stdout, _ = finish(process)
    assert process.returncode == 3
    assert "Final status: failed" in stdout
    assert "too_big" in stdout
    assert "the input is too big" in stdout


def test_a_wait_with_json_prints_one_object(connected: Cli, kernel: LocalKernel) -> None:
    process = connected.start("call", CAP, "--wait", "--json", "--idempotency-key", "json")
    job = json.loads(connected("call", CAP, "--json", "--idempotency-key", "json").stdout)
    kernel.cancel(job["id"])
    stdout, stderr = finish(process)
    assert process.returncode == 3
    assert json.loads(stdout)["status"] == "cancelled"
    assert stderr == ""


def test_a_wait_that_times_out_gives_exit_code_2(connected: Cli) -> None:
    done = connected("call", CAP, "--wait", "--timeout", "0.3")
    assert done.returncode == 2
    assert done.stderr.startswith("Timeout: ")
    job_id = done.stdout.splitlines()[0].removeprefix("Job created: ")
    assert f"chaojiyuyan status {job_id}" in done.stderr


def test_a_wait_that_times_out_names_the_last_fault() -> None:
    late = JobTimeout("j1", 3.0, status="running")
    late.__cause__ = PermissionDeniedError(403, "an HTML page titled 'Access denied'")
    text, code = explain(late)
    assert code == 2
    assert "it is running; the last request failed: " in text
    assert "'Access denied'; the job continues, see `chaojiyuyan status j1`" in text


def test_ctrl_c_names_the_job_that_continues(connected: Cli) -> None:
    process = connected.start("call", CAP, "--wait")
    job_id = job_id_of(process)
    interrupt(process)
    _, stderr = finish(process)
    assert process.returncode == 130
    assert f"chaojiyuyan status {job_id}" in stderr
    assert stderr.count("\n") == 1
    assert connected("status", job_id).returncode == 0


def test_a_terminal_shows_the_status_and_the_elapsed_time(
    connected: Cli, kernel: LocalKernel, terminal: Callable[..., Terminal]
) -> None:
    shown = terminal("call", CAP, "--wait")
    job_id = shown.expect(r"Job created: (\S+)").group(1)
    shown.expect(r"bidding  0 s")
    shown.expect(r"bidding  1 s")
    kernel.settle(job_id, {"done": True})
    shown.expect(r"Final status: succeeded")
    assert shown.end() == 0
    assert '"done": true' in shown.text
    # The line of the spinner is removed before other output.
    assert "\r\x1b[K" in shown.text


def test_artifacts_are_saved_into_a_folder(connected: Cli, kernel: LocalKernel) -> None:
    process = connected.start("call", CAP, "--save", "out")
    data = base64.b64encode(b"\x89PNG").decode()
    artifacts = [
        {
            "kind": "image",
            "artifact_uri": f"data:image/png;base64,{data}",
            "mime_type": "image/png",
            "size_bytes": 4,
            "meta": {"filename": "../../a\x1b.png"},
        },
        {
            "kind": "image",
            "artifact_uri": f"data:image/png;base64,{data}",
            "mime_type": "image/png",
            "size_bytes": 4,
            "meta": {"filename": "a\x1b.png"},
        },
    ]
    kernel.settle(job_id_of(process), {}, artifacts)
    stdout, stderr = finish(process)
    assert process.returncode == 0, stderr
    job_id = json.loads(connected("jobs", "--limit", "1", "--json", "id").stdout)["jobs"][0]["id"]
    for command, code in ((["--save", "out"], 1), (["--save", "out", "--clobber"], 0)):
        done = connected("download", job_id, *command)
        assert done.returncode == code
        assert ("--clobber" in done.stderr) == bool(code)
    assert connected("download", job_id).returncode == 0
    assert (connected.home / "a_.png").exists()
    saved = sorted((connected.home / "out").iterdir())
    assert [path.name for path in saved] == ["2-a_.png", "a_.png"]
    assert all(path.read_bytes() == b"\x89PNG" for path in saved)
    assert stdout.count("Saved ") == 2


@pytest.mark.parametrize("size", [200_000, None])
def test_a_terminal_shows_the_progress_of_a_download(
    cli: Cli, platform: FakePlatform, terminal: Callable[..., Terminal], size: int | None
) -> None:
    artifact = {
        "id": "art_1",
        "artifact_uri": f"{platform.base_url}/files/1",
        "mime_type": "image/png",
    }
    artifact |= {"size_bytes": size} if size else {}
    job = {"id": "j", "status": "succeeded", "artifacts": [artifact]}
    platform.say("/capability-specs", [])
    platform.say("/kernel-jobs", job, 201)
    platform.say("/kernel-jobs/j", job)
    platform.say_file("/files/1", b"x" * 200_000)
    cli.log_in(platform.base_url)
    shown = terminal("call", CAP, "--save", "out")
    shown.expect(
        r"art_1\.png  \[#{15}-{15}\]  50%  0\.1 MB" if size else r"art_1\.png  0\.1 MB  \d+ s"
    )
    platform.half.set()
    shown.expect("Saved ")
    assert shown.end() == 0
    assert (cli.home / "out" / "art_1.png").read_bytes() == b"x" * 200_000


def test_an_artifact_without_an_address_keeps_the_output_readable(
    cli: Cli, platform: FakePlatform
) -> None:
    job = {"id": "j", "status": "succeeded", "artifacts": [{"id": "a", "artifact_uri": None}]}
    platform.say("/capability-specs", [])
    platform.say("/kernel-jobs", job)
    platform.say("/kernel-jobs/j", job)
    cli.log_in(platform.base_url)
    done = cli("call", CAP, "--wait")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Artifact:" in done.stdout


@pytest.mark.parametrize(
    ("artifact", "name"),
    [
        ({"id": "art_1", "mime_type": "image/png"}, "art_1.png"),
        ({"id": "art_1", "mime": "application/json; charset=utf-8"}, "art_1.json"),
        ({}, "artifact-7"),
        ({"id": "../x"}, ".._x".strip(".")),
        ({"meta": {"filename": "C:\\temp\\报告.pdf"}}, "报告.pdf"),
        ({"meta": {"filename": "..", "name": "n"}, "id": "i"}, "i"),
        ({"meta": {"name": "x" * 500 + ".jpeg"}}, "x" * 120 + ".jpeg"),
        ({"meta": {"name": "报" * 500 + ".png"}}, "报" * 40 + ".png"),
        ({"meta": {"name": "a\u202egnp.exe"}}, "agnp.exe"),
        ({"meta": {"name": ".bashrc"}}, "bashrc"),
        ({"meta": {"name": "nul.txt"}}, "_nul.txt"),
        ({"meta": {"name": "console.txt"}}, "console.txt"),
        ({"meta": ["x"], "mime_type": 7, "id": "art_1"}, "art_1"),
    ],
)
def test_an_artifacts_file_stays_in_its_folder(artifact: dict[str, object], name: str) -> None:
    assert file_name(artifact, 7) == name  # type: ignore[arg-type]
