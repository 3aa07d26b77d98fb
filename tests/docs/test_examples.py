"""Every Python and shell example of every page and README, run against a local kernel.

The blocks of a page run from top to bottom in a new folder. Its Python blocks share one
interpreter; shell blocks run between them. A block's info string may have, after the language:

``file=NAME``       the block is a file with that name, for later blocks
``background``      the block is a process that runs until the end of the page; SIGTERM must stop
                    it with exit code 0
``norun=REASON``    the block is not run, for one of the reasons below

``<!-- a worker answers KEY -->`` at the top of a page starts the worker that its examples need.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chaojiyuyan_devserver.testing import LocalKernel

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for pattern in ("README*.md", "docs/**/*.md", "packages/*/README.md")
    for page in ROOT.glob(pattern)
    if page.parent.name
    != "zh"  # test_chinese checks that these have the examples of the English pages
)
SHELLS = {"sh", "bash", "console"}
DATA = {"json", "yaml", "toml"}
# The reasons for not running a block, and the number of blocks for each.
REASONS = {
    "install": ("installs from the index; tests/packaging does so with the built wheels", 24),
    "checkout": ("runs a script of this checkout, which the tests or CI run as they are", 13),
    "container": ("needs a container engine or a cluster", 8),
    "framework": ("needs an agent framework; scripts/test-frameworks runs it with each", 3),
    "server": ("serves until somebody stops it; the tests of the worker start it", 1),
    "program": ("needs a program that is not ours, or a person at a browser", 10),
}


@dataclass(frozen=True)
class Block:
    """A fenced block: its position, its language, its options and its text."""

    page: str
    line: int
    language: str
    options: dict[str, str]
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(page: str) -> list[Block]:
    text = (ROOT / page).read_text(encoding="utf-8")
    found = []
    fence = re.compile(
        r"(?ms)^(?P<indent> *)(?P<ticks>`{3,})(?P<info>[^\n`]*)\n(.*?)^ *(?P=ticks) *$"
    )
    for match in fence.finditer(text):
        words = shlex.split(match["info"])
        options = dict(word.partition("=")[::2] for word in words[1:])
        body = re.sub(rf"(?m)^ {{0,{len(match['indent'])}}}", "", match[4])
        line = text.count("\n", 0, match.start()) + 2
        found.append(Block(page, line, words[0] if words else "", options, body))
    return found


ALL_BLOCKS = [block for page in PAGES for block in blocks_of(page)]
PAGES_WITH_EXAMPLES = sorted(
    {block.page for block in ALL_BLOCKS if block.language in {"python", *SHELLS}}
)

# Runs the blocks of a page, read from standard input, one after another in one namespace.
INTERPRETER = """
import json, sys, traceback

namespace = {"__name__": "__main__"}
for line in sys.stdin:
    block = json.loads(line)
    try:
        exec(compile(block["source"], block["name"], "exec"), namespace)
    except BaseException:
        traceback.print_exc(file=sys.stdout)
        raise SystemExit(1)
    print(block["end"], flush=True)
"""


def wait_for_handler(process: subprocess.Popen[str]) -> None:
    """Wait until a new process has its handler for SIGTERM; before, the signal would kill it."""
    status = Path(f"/proc/{process.pid}/status")
    for _ in range(300):
        caught = re.search(r"SigCgt:\s*([0-9a-f]+)", status.read_text())
        if process.poll() is not None or (caught and int(caught[1], 16) >> signal.SIGTERM - 1 & 1):
            return
        time.sleep(0.1)


class Reader:
    """Runs the blocks of a page."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, environment
        self._interpreter: subprocess.Popen[str] | None = None
        self._background: list[tuple[Block, subprocess.Popen[str]]] = []

    def follow(self, block: Block) -> None:
        if "norun" in block.options:
            return
        if "file" in block.options:
            file = self.folder / block.options["file"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, encoding="utf-8")
        elif "background" in block.options:
            with self._log(block).open("w") as log:
                process = self._start(*self._command(block), output=log)
            self._background.append((block, process))
        elif block.language == "python":
            self._type_in(block)
        elif block.language in SHELLS:
            process = self._start(*self._command(block))
            output, _ = process.communicate(timeout=60)
            assert process.returncode == 0, f"{block.place}\n{block.text}\n{output}"

    def _command(self, block: Block) -> list[str]:
        if block.language == "python":
            return [sys.executable, "-c", block.text]
        text = block.text
        if block.language == "console":
            text = "".join(re.findall(r"(?m)^(?:\$|>) (.*\n)", text))
        return ["bash", "-euo", "pipefail", "-c", text]

    def _log(self, block: Block) -> Path:
        return self.folder / f".block-{block.line}.log"

    def _start(
        self, *command: str, output: int | IO[str] = subprocess.PIPE
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )

    def _type_in(self, block: Block) -> None:
        if self._interpreter is None:
            self._interpreter = self._start(sys.executable, "-u", "-c", INTERPRETER)
        assert self._interpreter.stdin is not None
        assert self._interpreter.stdout is not None
        end = f"end of {block.place}"
        entry = {"name": block.place, "source": block.text, "end": end}
        self._interpreter.stdin.write(json.dumps(entry) + "\n")
        self._interpreter.stdin.flush()
        shown = ""
        for line in self._interpreter.stdout:
            if line.rstrip() == end:
                return
            shown += line
        pytest.fail(f"{block.place}\n{block.text}\n{shown}")

    def leave(self) -> None:
        """Stop the page's processes; a background block must end with 0."""
        for _, process in self._background:
            wait_for_handler(process)
            process.send_signal(signal.SIGTERM)
        for block, process in self._background:
            code = process.wait(timeout=30)
            assert code == 0, f"{block.place} ended with {code}:\n{self._log(block).read_text()}"

    def abandon(self) -> None:
        """Kill all processes of the page."""
        processes = [process for _, process in self._background]
        for process in [*processes, *([self._interpreter] if self._interpreter else [])]:
            process.kill()
            process.communicate(timeout=30)


@pytest.fixture
def reader(tmp_path: Path, kernel: LocalKernel) -> Iterator[Reader]:
    """A reader with a home folder, connected to the local kernel."""
    kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
    environment = {
        **kept,
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(tmp_path),
        "CHAOJIYUYAN_API_KEY": kernel.api_key,
        "HEBING_BASE_URL": kernel.base_url,
    }
    reader = Reader(tmp_path, environment)
    yield reader
    reader.abandon()


HELPING_HAND = """
import sys
sys.path.insert(0, {examples!r})
from chaojiyuyan_worker import Worker
from digest_worker import digest

worker = Worker.from_env()
for key in {keys!r}:
    worker.handler(key)(digest if key == "text.digest.v1" else lambda task: task.input)
worker.run(poll_interval=0.1)
"""


@contextmanager
def answering(keys: list[str], kernel: LocalKernel) -> Iterator[None]:
    """Run the worker that a page needs."""
    if not keys:
        yield
        return
    key = kernel.new_agent("helping hand").api_key
    environment = {**os.environ, "CHAOJIYUYAN_API_KEY": key, "HEBING_BASE_URL": kernel.base_url}
    code = HELPING_HAND.format(examples=str(ROOT / "examples"), keys=keys)
    with subprocess.Popen([sys.executable, "-c", code], env=environment) as process:
        try:
            yield
        finally:
            process.terminate()


@pytest.mark.parametrize("page", PAGES_WITH_EXAMPLES)
def test_every_example_of_the_page_runs(page: str, reader: Reader, kernel: LocalKernel) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    taken_for_granted = re.findall(r"(?m)^<!-- a worker answers (\S+) -->$", text)
    with answering(taken_for_granted, kernel):
        for block in blocks_of(page):
            reader.follow(block)
        reader.leave()


def test_the_number_of_blocks_not_run_is_fixed() -> None:
    reasons = Counter(block.options["norun"] for block in ALL_BLOCKS if "norun" in block.options)
    assert set(reasons) <= set(REASONS)
    for reason, count in reasons.items():
        assert count <= REASONS[reason][1], f"more blocks than decided are unrun by {reason!r}"


@pytest.mark.parametrize("block", ALL_BLOCKS, ids=lambda block: block.place)
def test_each_block_has_a_known_language_and_options(block: Block) -> None:
    assert block.language, f"{block.place}: a fence without a language is neither run nor checked"
    assert set(block.options) <= {"file", "background", "norun"} or block.language.startswith("{")


@pytest.mark.parametrize(
    "block", [block for block in ALL_BLOCKS if block.language in DATA], ids=lambda b: b.place
)
def test_data_is_well_formed(block: Block) -> None:
    if block.language == "json":
        json.loads(block.text)
    elif block.language == "yaml":
        list(yaml.safe_load_all(block.text))
    elif sys.version_info >= (3, 11):
        import tomllib

        tomllib.loads(block.text)


@pytest.mark.parametrize("page", PAGES)
def test_every_file_named_on_a_page_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for package, path in re.findall(r"`chaojiyuyan_(\w+)/([\w/]+\.py)`", text):
        source = ROOT / "packages" / package / "src" / f"chaojiyuyan_{package}" / path
        assert source.is_file(), f"{page} names {source.name}"
    for path in re.findall(r"`((?:docs|scripts|tests|packages|\.ci|\.github)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), f"{page} names {path}"
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text):
        assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}"
