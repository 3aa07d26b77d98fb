"""Each package's public names beside the list that is kept of them.

A public name that comes, goes or moves is a decision, which a reviewer sees as a line of a list in
``public_names/``. After such a change write the lists again, and commit them with it:

    UPDATE_PUBLIC_NAMES=1 ./scripts/test tests/packaging/test_public_names.py

What a minor version may change of them is said in docs/contributing.md.
"""

from __future__ import annotations

import ast
import importlib
import os
import pkgutil
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = sorted(path.name for path in (ROOT / "packages").iterdir())
LISTS = Path(__file__).with_name("public_names")
COMMAND = "UPDATE_PUBLIC_NAMES=1 ./scripts/test tests/packaging/test_public_names.py"


def modules_of(package: ModuleType) -> Iterator[ModuleType]:
    """The package and its modules, without those whose path has a part that starts with ``_``."""
    yield package
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if not found.name.rpartition(".")[2].startswith("_"):
            module = importlib.import_module(found.name)
            yield from modules_of(module) if found.ispkg else [module]


def names_of(module: ModuleType) -> set[str]:
    """The module's ``__all__``, or else what it defines itself without a ``_`` in front."""
    if hasattr(module, "__all__"):
        return set(module.__all__)
    assert module.__file__ is not None
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    names = {name for node in tree.body for name in defined_by(node)}
    return {name for name in names if not name.startswith("_")}


def defined_by(node: ast.stmt) -> Iterator[str]:
    """The names that a statement at the top of a module binds, imports left out."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name
    elif isinstance(node, (ast.Assign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            yield from (leaf.id for leaf in ast.walk(target) if isinstance(leaf, ast.Name))
    elif isinstance(node, (ast.If, ast.Try)):
        for child in (*node.body, *node.orelse):
            yield from defined_by(child)


def public_names(package: str) -> list[str]:
    """Every public name with its module, sorted; a module without any stands by itself."""
    found = set()
    for module in modules_of(importlib.import_module(package)):
        found |= {f"{module.__name__}:{name}" for name in names_of(module)} or {module.__name__}
    return sorted(found)


@pytest.mark.parametrize("name", PACKAGES)
def test_public_names_are_those_of_the_list(name: str) -> None:
    kept = LISTS / f"{name}.txt"
    found = public_names(f"chaojiyuyan_{name}")
    if os.environ.get("UPDATE_PUBLIC_NAMES"):
        kept.write_text("\n".join(found) + "\n", encoding="utf-8")
    expected = kept.read_text(encoding="utf-8").splitlines()
    gone, new = sorted({*expected} - {*found}), sorted({*found} - {*expected})
    assert found == expected, f"gone: {gone}; new: {new}. If that is meant, run {COMMAND}"


@pytest.mark.parametrize("name", PACKAGES)
def test_each_public_module_is_on_a_page_of_the_reference(name: str) -> None:
    pages = [page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "api").glob("*.md")]
    named = set(re.findall(r"(?:`|:: )(chaojiyuyan_[\w.]+)", "\n".join(pages)))
    package = importlib.import_module(f"chaojiyuyan_{name}")
    public = {module.__name__ for module in modules_of(package)}
    assert public - named == set()


def test_every_list_belongs_to_a_package() -> None:
    assert sorted(path.stem for path in LISTS.glob("*.txt")) == PACKAGES


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("def f(): ...", "f"),
        ("class A: ...\nX: int = 1", "A X"),
        ("a = b = 1\nc, (d, e) = 1, (2, 3)", "a b c d e"),
        ("import os\nfrom sys import path", ""),
        ("if True:\n    x = 1\nelse:\n    y = 2", "x y"),
        ("def f():\n    inner = 1", "f"),
    ],
)
def test_what_a_module_defines(source: str, names: str) -> None:
    found = {name for node in ast.parse(source).body for name in defined_by(node)}
    assert found == set(names.split())
