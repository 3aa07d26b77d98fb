"""`batch` orders one job for each line, also when a run was interrupted."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given, strategies as st

from chaojiyuyan_cli._batch.lines import MAX_LINE, Line, count_lines, parse_line, read_lines
from chaojiyuyan_cli._batch.progress import Progress
from chaojiyuyan_cli._batch.results import Outcomes, open_results
from chaojiyuyan_cli._batch.rows import is_fatal, make_error_row
from chaojiyuyan_cli._batch.run import make_prefix
from chaojiyuyan_cli._errors import UserError
from chaojiyuyan_core.errors import (
    AuthenticationError,
    BadRequestError,
    InputInvalid,
    JobTimeout,
    ServerError,
)
from support.command_line import finish, interrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from chaojiyuyan_devserver.testing import LocalKernel
    from support.command_line import Cli
    from support.terminal import Terminal

CAP = "test.echo.v1"


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def count_jobs(cli: Cli) -> int:
    return len(json.loads(cli("jobs", "--limit", "1000", "--json", "id").stdout)["jobs"])


@pytest.fixture
def fresh(cli: Cli, kernel_factory: Callable[..., LocalKernel]) -> LocalKernel:
    """A separate kernel for the test, with the command logged in to it."""
    kernel = kernel_factory()
    cli.log_in(kernel.base_url, kernel.api_key)
    return kernel


@pytest.fixture
def worker(cli: Cli, fresh: LocalKernel) -> Iterator[subprocess.Popen[str]]:
    """A worker that echoes every job of the capability."""
    process = cli.start("worker", CAP, "--yes", "--poll-interval", "0.1")
    yield process
    process.terminate()
    finish(process)


@pytest.fixture
def inputs(cli: Cli) -> Path:
    path = cli.home / "inputs.jsonl"
    path.write_text("".join(f'{{"n": {n}}}\n' for n in range(20)))
    return path


# --- whole runs ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("worker")
def test_each_line_gets_a_row_and_a_rerun_orders_nothing(cli: Cli, inputs: Path) -> None:
    with inputs.open("ab") as file:
        file.write('not JSON\n[1]\n{"text": "ü\\u2028"}'.encode())
    results = cli.home / "results.jsonl"
    done = cli("batch", CAP, "inputs.jsonl", "--output", "results.jsonl", "--concurrency", "4")
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.count("\n") == 1
    assert "23 of 23 lines done, 2 failed, 21 nc spent" in done.stdout
    rows = {row["line"]: row for row in rows_of(results)}
    assert sorted(rows) == list(range(1, 24))
    first = rows[1]
    assert list(first) == ["line", "status", "output", "job_id", "price_nc"]
    assert (first["status"], first["price_nc"]) == ("succeeded", 1)
    assert first["output"]["echo"] == {"n": 0}
    assert rows[23]["output"]["echo"] == {"text": "ü\u2028"}
    for number in (21, 22):
        row = rows[number]
        assert list(row) == ["line", "status", "error", "job_id", "price_nc"]
        assert (row["status"], row["error"]["code"]) == ("failed", "invalid_input")
    assert count_jobs(cli) == 21

    before = results.read_bytes()
    again = cli("batch", CAP, "inputs.jsonl", "--output", "results.jsonl")
    assert again.returncode == 3
    assert "(23 in earlier runs), 2 failed, 0 nc spent" in again.stdout
    assert results.read_bytes() == before
    assert count_jobs(cli) == 21


def test_retry_failed_orders_failed_lines_again(cli: Cli, fresh: LocalKernel, inputs: Path) -> None:
    inputs.write_text('{"n": 1}\n')
    command = ["batch", CAP, str(inputs), "--output", "results.jsonl"]
    process = cli.start(*command)
    fresh.fail(wait_for_job(cli), code="too_big", message="the input is too big")
    finish(process)
    assert process.returncode == 3
    [row] = rows_of(cli.home / "results.jsonl")
    assert row["error"] == {"code": "too_big", "message": "the input is too big"}
    assert cli(*command).returncode == 3
    assert count_jobs(cli) == 1
    process = cli.start(*command, "--retry-failed")
    fresh.settle(wait_for_job(cli), {"text": "done"})
    finish(process)
    assert process.returncode == 0
    assert [row["status"] for row in rows_of(cli.home / "results.jsonl")] == ["failed", "succeeded"]
    assert count_jobs(cli) == 2
    assert cli(*command, "--retry-failed").returncode == 0


def wait_for_job(cli: Cli) -> str:
    """Wait until a job is open, and return its id."""
    for _ in range(100):
        rows = json.loads(cli("jobs", "--status", "bidding", "--json", "id").stdout)["jobs"]
        if rows:
            job_id: str = rows[0]["id"]
            return job_id
    raise AssertionError("no job was ordered")


@pytest.mark.parametrize("end", ["interrupt", "kill"])
def test_an_interrupted_run_resumes_without_double_orders(
    cli: Cli, fresh: LocalKernel, inputs: Path, end: str
) -> None:
    command = ["batch", CAP, str(inputs), "--output", "results.jsonl", "--concurrency", "5"]
    process = cli.start(*command)
    fresh.settle(wait_for_job(cli), {})
    results = cli.home / "results.jsonl"
    while not results.exists() or not results.read_bytes().endswith(b"\n"):
        assert process.poll() is None
    assert count_jobs(cli) <= 6
    if end == "interrupt":
        interrupt(process)
        stdout, stderr = finish(process)
        assert process.returncode == 130
        assert "1 of 20 lines done" in stdout
        assert stderr.startswith("Interrupted. Run the same command again to resume.")
        assert stderr.count("\n") == 1
    else:
        process.kill()
        finish(process)
        with results.open("ab") as file:
            file.write(b'{"line": 7, "status": "succ')
    worker = cli.start("worker", CAP, "--yes", "--poll-interval", "0.1")
    done = cli(*command)
    worker.terminate()
    finish(worker)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = rows_of(results)
    assert sorted(row["line"] for row in rows) == list(range(1, 21))
    assert len({row["job_id"] for row in rows}) == 20
    assert count_jobs(cli) == 20


def test_a_second_run_on_the_same_results_file_is_refused(
    cli: Cli, fresh: LocalKernel, inputs: Path
) -> None:
    command = ["batch", CAP, str(inputs), "--output", "results.jsonl"]
    process = cli.start(*command)
    wait_for_job(cli)
    done = cli(*command)
    assert done.returncode == 1
    assert "Another run writes to" in done.stderr
    process.kill()
    finish(process)


def test_the_next_run_waits_for_an_unfinished_job(
    cli: Cli, fresh: LocalKernel, inputs: Path
) -> None:
    inputs.write_text('{"n": 1}\n')
    command = ["batch", CAP, str(inputs), "--output", "results.jsonl", "--timeout", "5"]
    done = cli(*command)
    assert done.returncode == 3
    assert "0 of 1 lines done, 1 failed" in done.stdout
    [row] = rows_of(cli.home / "results.jsonl")
    assert row["status"] == "unfinished"
    fresh.settle(wait_for_job(cli), {"text": "done"})
    done = cli(*command)
    assert done.returncode == 0
    assert rows_of(cli.home / "results.jsonl")[-1]["output"] == {"text": "done"}
    assert count_jobs(cli) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["no.such.v1", "inputs.jsonl", "--output", "r"], 2, "unknown_capability"),
        ([CAP, "absent.jsonl", "--output", "r"], 1, "is not a file"),
        ([CAP, "inputs.jsonl", "--output", "inputs.jsonl"], 1, "are the same file"),
        ([CAP, "inputs.jsonl"], 2, "--output"),
        ([CAP, "inputs.jsonl", "--output", "r", "--idempotency-prefix", " "], 2, "is blank"),
        ([CAP, "inputs.jsonl", "--output", "r", "--api"], 2, "No such option"),
    ],
)
def test_a_batch_that_cannot_start_says_why(
    connected: Cli, inputs: Path, arguments: list[str], code: int, why: str
) -> None:
    done = connected("batch", *arguments)
    assert done.returncode == code
    assert why in done.stderr
    assert inputs.read_text().count("\n") == 20


def test_a_refused_key_stops_the_batch(cli: Cli, kernel: LocalKernel, inputs: Path) -> None:
    cli.log_in(kernel.base_url, "nxt_ag_no_such_key_here")
    done = cli("batch", CAP, str(inputs), "--output", "results.jsonl")
    assert done.returncode == 2
    assert "401" in done.stderr
    assert (cli.home / "results.jsonl").read_text() == ""


@pytest.mark.usefixtures("worker")
def test_a_terminal_shows_the_progress(inputs: Path, terminal: Callable[..., Terminal]) -> None:
    shown = terminal("batch", CAP, str(inputs), "--output", "results.jsonl")
    shown.expect(r"\[[#-]{20}\]\s+\d+%  \d+/20 done  0 failed  [\d.]+/s")
    assert shown.end() == 0
    assert "20 of 20 lines done" in shown.text


# --- the parts -----------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=20)), st.booleans())
def test_every_line_is_read_and_counted(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes], is_complete: bool
) -> None:
    lines = [content.replace(b"\n", b"") for content in contents]
    data = b"\n".join(lines) + (b"\n" if is_complete and lines else b"")
    path = tmp_path_factory.mktemp("lines") / "inputs"
    path.write_bytes(data)
    read = list(read_lines(io.BytesIO(data)))
    assert len(read) == count_lines(path)
    assert [line.number for line in read] == list(range(1, len(read) + 1))
    assert all((line.payload is None) == bool(line.problem) for line in read)


@pytest.mark.parametrize(
    ("data", "payload"),
    [
        (b'\xef\xbb\xbf{"a": 1}\r\n', {"a": 1}),
        (b"{}\n", {}),
        (b"\n", None),
        (b"null\n", None),
        (b'{"a": "\xff"}\n', None),
        (b"[" * 200_000, None),
        (b"9" * 5000, None),
    ],
    ids=lambda value: str(value)[:20],
)
def test_an_invalid_line_has_a_reason(data: bytes, payload: dict[str, object] | None) -> None:
    line = parse_line(1, data)
    assert line.payload == payload
    assert bool(line.problem) == (payload is None)


def test_a_line_that_is_too_long_is_one_failed_row() -> None:
    data = io.BytesIO(b"x" * (MAX_LINE + 5) + b'\n{"a": 1}\n')
    first, second = read_lines(data)
    assert "longer than" in first.problem
    assert second == Line(2, {"a": 1})


@pytest.mark.parametrize(
    "content",
    [
        b"not a results file",
        b"[]\n",
        b'{"a": 1}\n',
        b'{"line": 4, "status": "succeeded"}\n',
        b'{"line": 0, "status": "succeeded"}\n',
        b'{"line": true, "status": "succeeded"}\n',
        b'{"line": 1, "status": 7}\n',
        b'{"line": 1, "sta\n{"line": 2, "status": "failed"}\n',
        b"\xff\xfe\n",
    ],
)
def test_a_file_of_another_batch_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "results"
    path.write_bytes(content)
    with pytest.raises(UserError, match="is not a results file"), open_results(path, 3):
        pass
    assert path.read_bytes() == content


def test_an_incomplete_row_is_removed_and_a_complete_one_kept(tmp_path: Path) -> None:
    path = tmp_path / "results"
    whole = b'{"line": 1, "status": "succeeded"}\n'
    for end, kept in ((b'{"line": 2, "status": "fai', whole), (whole.rstrip(), whole * 2)):
        path.write_bytes(whole + end)
        with open_results(path, 3) as results:
            assert results.outcomes.succeeded == 1
            results.append({"line": 3, "status": "failed"})
        assert path.read_bytes() == kept + b'{"line": 3, "status": "failed"}\n'


LOCKER = """
import sys
from pathlib import Path
from chaojiyuyan_cli._batch.results import open_results
with open_results(Path(sys.argv[1]), 3):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_the_lock_is_released_when_its_process_ends(tmp_path: Path) -> None:
    path = tmp_path / "results"
    process = subprocess.Popen(
        [sys.executable, "-c", LOCKER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        with pytest.raises(UserError, match="Another run"), open_results(path, 3):
            pass
        process.kill()
        process.wait()
    with open_results(path, 3):
        pass


def test_the_last_row_of_a_line_is_used() -> None:
    outcomes = Outcomes(3)
    for line, status in ((1, "failed"), (2, "unfinished"), (3, "expired"), (1, "succeeded")):
        outcomes.note({"line": line, "status": status})
    assert (outcomes.succeeded, outcomes.failed) == (1, 1)
    assert [outcomes.is_open(line, retry_failed=False) for line in (1, 2, 3)] == [
        False,
        True,
        False,
    ]
    assert [outcomes.is_open(line, retry_failed=True) for line in (1, 2, 3)] == [False, True, True]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (JobTimeout("j", 1.0), "unfinished", "timeout"),
        (ServerError(503, "down"), "unfinished", "sdk_error"),
        (httpx.ConnectError("no route"), "unfinished", "connection_failed"),
        (BadRequestError(400, "no", code="bad_input"), "failed", "bad_input"),
        (InputInvalid("a.b", "is not a number"), "failed", "invalid_input"),
        (ValueError("nxt_ag_abcdefghijklsecret"), "failed", "sdk_error"),
    ],
)
def test_an_error_becomes_a_row(error: Exception, status: str, code: str) -> None:
    row = make_error_row(7, error)
    assert (row["line"], row["status"], row["error"]["code"]) == (7, status, code)
    assert "abcdefgh" not in row["error"]["message"]


def test_an_error_of_every_line_stops_the_batch() -> None:
    assert is_fatal(AuthenticationError(401, "no"))
    assert is_fatal(BadRequestError(400, "no", code="unknown_capability"))
    assert is_fatal(BadRequestError(400, "no", code="insufficient_balance"))
    assert not is_fatal(BadRequestError(400, "no", code="bad_input"))


def test_the_prefix_depends_on_the_absolute_path_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jsonl"
    monkeypatch.chdir(tmp_path)
    prefix = make_prefix(path)
    assert prefix == make_prefix(path.relative_to(tmp_path))
    assert prefix != make_prefix(tmp_path / "b.jsonl")
    assert os.fspath(tmp_path) not in prefix


def test_the_progress_is_described_in_numbers() -> None:
    progress = Progress(total=100, earlier=20, done=30, failed=2, spent_nc=60)
    assert progress.describe(10.0) == (
        "[##########----------]  50%  50/100 done  2 failed  3.0/s  16 s left  60 nc spent"
    )
    assert progress.describe(0.0).count("left") == 0
    assert Progress(total=0).describe(0.0).startswith("[####################] 100%")
    assert progress.summarize(65) == (
        "50 of 100 lines done (20 in earlier runs), 2 failed, 60 nc spent, 1:05"
    )
