"""``scripts/demo.py`` as a user runs it: its output, its exit code, and what it leaves."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
DEMO = [sys.executable, str(ROOT / "scripts" / "demo.py")]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """No writable home, and a temporary folder that the test can inspect."""
    home, temp = tmp_path / "home", tmp_path / "temp"
    home.mkdir(mode=0o500)
    temp.mkdir()
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("HEBING", "CHAOJI"))}
    return {**inherited, "HOME": str(home), "TMPDIR": str(temp), "PYTHONUNBUFFERED": "1"}


def left_running(env: dict[str, str]) -> list[str]:
    """Return the processes that were started with this test's TMPDIR."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TMPDIR") == env["TMPDIR"]:
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


def test_a_file_is_digested_end_to_end(tmp_path: Path, env: dict[str, str]) -> None:
    file = tmp_path / "a text 文.txt"
    file.write_text("one fish\ntwo fish\nred fish\n", encoding="utf-8")
    ended = subprocess.run([*DEMO, str(file)], capture_output=True, text=True, env=env, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert hashlib.sha256(file.read_bytes()).hexdigest() in ended.stdout
    assert '"lines": 3' in ended.stdout
    assert "job.succeeded arrived, its signature is right" in ended.stdout
    assert ended.stderr == ""
    assert "nxt_ag_" not in ended.stdout
    assert left_running(env) == []
    assert list(Path(env["TMPDIR"]).iterdir()) == []
    assert list(Path(env["HOME"]).iterdir()) == []


def test_a_missing_file_is_reported_in_one_line(tmp_path: Path, env: dict[str, str]) -> None:
    argv = [*DEMO, str(tmp_path / "absent.txt")]
    ended = subprocess.run(argv, capture_output=True, text=True, env=env, timeout=60)
    assert ended.returncode == 1
    assert (
        ended.stderr == f"demo: cannot read {tmp_path / 'absent.txt'}: No such file or directory\n"
    )


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"PK\x03\x04\0\0"])
def test_a_binary_file_is_reported_in_one_line(
    content: bytes, tmp_path: Path, env: dict[str, str]
) -> None:
    file = tmp_path / "image.bin"
    file.write_bytes(content)
    ended = subprocess.run([*DEMO, str(file)], capture_output=True, text=True, env=env, timeout=60)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "not a text file" in ended.stderr


@pytest.mark.parametrize("step", ["kernel", "worker", "call"])
def test_ctrl_c_leaves_no_process_running(step: str, env: dict[str, str]) -> None:
    with subprocess.Popen(
        DEMO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    ) as demo:
        assert demo.stdout is not None
        assert any(line.split()[:1] == [step] for line in demo.stdout)
        demo.send_signal(signal.SIGINT)
        _, stderr = demo.communicate(timeout=30)
    # It may have just finished, but it must not end with a traceback.
    assert demo.returncode == 130
    assert stderr == "\ndemo: stopped\n"
    assert left_running(env) == []
    assert list(Path(env["TMPDIR"]).iterdir()) == []
