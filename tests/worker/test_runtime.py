"""A run gets threads, clocks and random numbers only from its runtime."""

from __future__ import annotations

import ast
from pathlib import Path

import chaojiyuyan_worker

SOURCES = Path(chaojiyuyan_worker.__file__).parent
RUNTIME = SOURCES / "_run" / "runtime.py"
BESIDE = {"threading", "_thread", "time", "queue", "random", "sched"}


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(str(node.module).partition(".")[0])
    return found


def test_no_module_bypasses_the_runtime() -> None:
    sources = set(SOURCES.rglob("*.py")) - {RUNTIME}
    assert {path.name: imported(path) & BESIDE for path in sources if imported(path) & BESIDE} == {}
    assert imported(RUNTIME) & BESIDE == {"threading", "time", "queue", "random"}
