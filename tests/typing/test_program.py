"""Public types: checkers accept correct programs and refuse incorrect ones."""

from __future__ import annotations

import ast
import importlib
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("program.py")


@pytest.mark.timeout(300)  # the first run creates its environment
def test_mypy_and_pyright_accept_a_users_program() -> None:
    checked = subprocess.run(
        [ROOT / "scripts" / "hatch", "run", "lint:user-program"], text=True, capture_output=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("package", ["chaojiyuyan_sdk", "chaojiyuyan_client"])
def test_the_program_touches_every_public_name(package: str) -> None:
    names = [
        node.id if isinstance(node, ast.Name) else node.attr
        for node in ast.walk(ast.parse(PROGRAM.read_text(encoding="utf-8")))
        if isinstance(node, (ast.Name, ast.Attribute))
    ]
    assert set(importlib.import_module(package).__all__) <= set(names)


@pytest.mark.parametrize("cls", ["NexusClient", "AsyncNexusClient", "Job", "AsyncJob"])
def test_the_program_touches_every_public_method(cls: str) -> None:
    client = importlib.import_module("chaojiyuyan_client")
    touched = {
        node.attr
        for node in ast.walk(ast.parse(PROGRAM.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }
    own = {
        name
        for base in getattr(client, cls).__mro__
        if base.__module__.startswith("chaojiyuyan_")
        for name in vars(base)
        if not name.startswith("_")
    }
    assert own <= touched
