"""Draws the terminal session that the README shows: ``docs/images/terminal.svg``.

The commands run for real, against a local kernel and a worker. Run it in the tests' environment::

    python docs/terminal_image.py
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from chaojiyuyan_devserver.testing import LocalKernel

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "images" / "terminal.svg"
COMMANDS = (
    ("capabilities",),
    ("call", "text.digest.v1", "--input", '{"text": "one fish two fish"}', "--wait"),
    ("jobs",),
)
COLUMNS = 84
LINE_HEIGHT = 20
MARGIN = 18


def main() -> None:
    """Run the commands and draw what they print."""
    lines: list[tuple[str, str]] = []
    with tempfile.TemporaryDirectory() as folder, LocalKernel(Path(folder)) as kernel:
        environment = {
            **os.environ,
            "CHAOJIYUYAN_API_KEY": kernel.api_key,
            "HEBING_BASE_URL": kernel.base_url,
            "HOME": folder,
            "COLUMNS": str(COLUMNS),
        }
        with working(environment):
            for command in COMMANDS:
                lines.append(("prompt", f"$ chaojiyuyan {quoted(command)}"))
                lines += [("text", line) for line in run(command, environment)]
    TARGET.write_text(draw(lines), encoding="utf-8")
    print(f"{TARGET.relative_to(ROOT)}: {TARGET.stat().st_size:,} bytes")


@contextmanager
def working(environment: dict[str, str]) -> Iterator[None]:
    """Run the example's worker meanwhile."""
    command = [sys.executable, "-m", "chaojiyuyan_worker", "digest_worker:worker"]
    with subprocess.Popen(
        command, cwd=ROOT / "examples", env=environment, stderr=subprocess.DEVNULL
    ) as worker:
        try:
            yield
        finally:
            worker.terminate()


def quoted(command: tuple[str, ...]) -> str:
    """Return a command as a person types it."""
    return " ".join(f"'{word}'" if re.search(r"[\s{]", word) else word for word in command)


def run(command: tuple[str, ...], environment: dict[str, str]) -> list[str]:
    """Return the lines that a command prints."""
    done = subprocess.run(
        [sys.executable, "-m", "chaojiyuyan_cli", *command],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.rstrip().splitlines()


def draw(lines: list[tuple[str, str]]) -> str:
    """Return the lines as an SVG picture of a terminal.

    Args:
        lines: For each line its class, ``prompt`` or ``text``, and its text.

    Returns:
        The SVG document.
    """
    height = 2 * MARGIN + 24 + LINE_HEIGHT * len(lines)
    width = 2 * MARGIN + round(COLUMNS * 8.43)
    rows = "\n".join(
        f'  <text class="{kind}" x="{MARGIN}" y="{MARGIN + 38 + LINE_HEIGHT * row}">'
        f"{escape(text, quote=False)}</text>"
        for row, (kind, text) in enumerate(lines)
    )
    dots = "".join(
        f'<circle cx="{MARGIN + 6 + 20 * n}" cy="20" r="6" fill="{color}"/>'
        for n, color in enumerate(("#f87171", "#fbbf24", "#34d399"))
    )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"
     aria-label="A terminal session" font-family="ui-monospace, Menlo, Consolas, monospace"
     font-size="14">
  <style>
    text {{ white-space: pre; fill: #d7e0ea }}
    .prompt {{ fill: #5eead4; font-weight: 600 }}
  </style>
  <rect width="{width}" height="{height}" rx="10" fill="#0f172a"/>
  {dots}
{rows}
</svg>
"""


if __name__ == "__main__":
    main()
