"""Write the outputs in docs/cli.md from a real run of every command, or check them.

Each ``{code-block} console`` of the page is run from top to bottom in one home folder, against a
local kernel with a worker. What differs from run to run (ids, times, ports, paths) is written in
one form. ``--check`` writes nothing, prints the difference, and ends with exit code 1 if there is
one.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import os
import re
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from chaojiyuyan_devserver.testing import LocalKernel

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "cli.md"
BIN = Path(sys.executable).parent
BLOCK = re.compile(r"(?ms)^```\{code-block\} console\n(.*?)^```$")
HOME = "/home/you"

# Commands that run until they are stopped: the command to run here, and its last line.
RUNNING = {
    "chaojiyuyan dev": (
        "chaojiyuyan dev --port 0 --ephemeral",
        "  export CHAOJIYUYAN_API_KEY=",
    ),
    "chaojiyuyan listen --forward-to localhost:8000/webhook": (
        "chaojiyuyan listen --forward-to localhost:8000/webhook",
        "Ready: ",
    ),
}
ARTIFACT = {
    "kind": "text",
    "artifact_uri": "data:text/plain,hello",
    "mime_type": "text/plain",
    "size_bytes": 5,
    "meta": {"filename": "hello.txt"},
}
WORKER = """
import sys
sys.path.insert(0, {examples!r})
from digest_worker import digest, worker
worker.handler("test.echo.v1")(lambda task: task.input)
worker.run(poll_interval=0.1)
"""
FORMS = [
    (r"http://127\.0\.0\.1:\d+", "http://127.0.0.1:8787"),
    (r"nxt_ag_[\w-]+", "nxt_ag_…"),
    (r"nxt_…[\w-]{4}", "nxt_…cret"),
    (r"\b(run|agt)_[0-9a-f]{20,}", r"\1_01a2"),
    (r"whsec_[\w-]+", "whsec_…"),
    (r"token=[\w-]+", "token=…"),
    (r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)", "2026-11-22T10:00:00.000Z"),
    (r"\.backup-\d{14}", ".backup-20261122100000"),
    (r"\b\d+ ms\b", "7 ms"),
    (r"\b\d+ (s|min) ago|just now", "just now"),
    (r"(nc spent, )[\d:]+( s)?", r"\g<1>1 s"),
    (r"\b\d+\.\d+\.\d+ at ", "3.12.7 at "),
    (r"chaojiyuyan-(\w+)(\"?:? \"?)\d+\.\d+\.\d+\w*", r"chaojiyuyan-\1\g<2>0.5.0"),
]


class Session:
    """Runs the commands of the page in a terminal, like a user.

    Args:
        home: The home folder.
        kernel: The platform.
    """

    def __init__(self, home: Path, kernel: LocalKernel) -> None:
        self._home, self._kernel = home, kernel
        self._samples: dict[str, str] = {}  # by the real id
        self._env = {
            "HOME": str(home),
            "PATH": f"{BIN}:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "HEBING_BASE_URL": kernel.base_url,
            "KEY": kernel.api_key,
        }

    def play(self, block: str) -> str:
        """Run the commands of a block, and return the block with their outputs."""
        lines = []
        for line in block.splitlines():
            if line.startswith("$ "):
                lines += [line, *self._run(line.removeprefix("$ ")).splitlines()]
        return "".join(f"{line}\n" for line in lines)

    def _run(self, command: str) -> str:
        if command in RUNNING:
            return self._write_in_one_form(self._run_until_ready(*RUNNING[command]))
        real_ids = list(self._samples)
        command = re.sub(r"\bjob_0+(\d+)\b", lambda sample: real_ids[int(sample[1]) - 1], command)
        with self._start(command) as process:
            output, _ = process.communicate(timeout=60)
        if command.startswith("chaojiyuyan call media.echo.v1"):
            self._kernel.settle(self._find_ids(output)[0], {"text": "hello"}, [ARTIFACT])
        return self._write_in_one_form(output)

    def _run_until_ready(self, command: str, last_line: str) -> str:
        """Run a command in a terminal until it has printed its last line, then stop it."""
        ours, theirs = os.openpty()
        output = ""
        with self._start(f"exec {command}", theirs) as process, os.fdopen(ours) as terminal:
            os.close(theirs)
            with contextlib.suppress(OSError):  # Linux's end of file
                for line in terminal:
                    output += line
                    if line.startswith(last_line):
                        process.send_signal(signal.SIGINT)
        return output

    def _start(self, command: str, output: int = subprocess.PIPE) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["bash", "-c", command],
            cwd=self._home,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _find_ids(self, text: str) -> list[str]:
        return re.findall(r"\bjob_[0-9a-f]{20,}", text)

    def _write_in_one_form(self, text: str) -> str:
        for real in self._find_ids(text):
            number = len(self._samples) + 1
            self._samples.setdefault(real, f"job_{number:024d}")
        for real, sample in self._samples.items():
            text = text.replace(real.ljust(len(sample)), sample)
        text = text.replace(f"{BIN}/", f"{HOME}/.local/bin/").replace(str(self._home), HOME)
        for pattern, form in FORMS:
            text = re.sub(pattern, form, text)
        return "\n".join(line.rstrip() for line in text.splitlines())


@contextmanager
def answering(kernel: LocalKernel) -> Iterator[None]:
    """Run a worker of another account for the capabilities that the page calls."""
    env = {
        **os.environ,
        "CHAOJIYUYAN_API_KEY": kernel.new_agent("helping hand").api_key,
        "HEBING_BASE_URL": kernel.base_url,
    }
    code = WORKER.format(examples=str(ROOT / "examples"))
    with subprocess.Popen([sys.executable, "-c", code], env=env, stderr=subprocess.DEVNULL) as it:
        try:
            yield
        finally:
            it.terminate()


def render(page: str) -> str:
    """Return the page with the outputs of a real run."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        home.mkdir()
        with LocalKernel(Path(folder, "kernel"), ephemeral=True) as kernel, answering(kernel):
            session = Session(home, kernel)
            return BLOCK.sub(
                lambda block: f"```{{code-block}} console\n{session.play(block[1])}```", page
            )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    before = PAGE.read_text(encoding="utf-8")
    after = render(before)
    if not options.check:
        PAGE.write_text(after, encoding="utf-8")
        return 0
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), "docs/cli.md", "a real run", lineterm=""
    )
    difference = "\n".join(lines)
    print(difference)
    return 1 if difference else 0


if __name__ == "__main__":
    sys.exit(main())
