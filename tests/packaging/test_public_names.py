"""Each package's public names match the lists in ``public_names/``.

A public name that is added, removed or moved is then visible to a reviewer as a changed line. After
such a change, update the lists and commit them with it:

    UPDATE_PUBLIC_NAMES=1 ./scripts/test tests/packaging/test_public_names.py

docs/contributing.md says which changes a minor version may make.
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
    """Return the package and its modules, without private ones, whose path has a ``_`` part."""
    yield package
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if not found.name.rpartition(".")[2].startswith("_"):
            module = importlib.import_module(found.name)
            yield from modules_of(module) if found.ispkg else [module]


def names_of(module: ModuleType) -> set[str]:
    """Return the module's ``__all__``, or the names it defines that do not start with ``_``."""
    if hasattr(module, "__all__"):
        return set(module.__all__)
    assert module.__file__ is not None
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    names = {name for node in tree.body for name in defined_by(node)}
    return {name for name in names if not name.startswith("_")}


def defined_by(node: ast.stmt) -> Iterator[str]:
    """Return the names that a top-level statement binds, without imports."""
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
    """Return every public name with its module, sorted; a module without names is one line."""
    found = set()
    for module in modules_of(importlib.import_module(package)):
        found |= {f"{module.__name__}:{name}" for name in names_of(module)} or {module.__name__}
    return sorted(found)


@pytest.mark.parametrize("name", PACKAGES)
def test_public_names_match_the_list(name: str) -> None:
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
def test_defined_names_are_found(source: str, names: str) -> None:
    found = {name for node in ast.parse(source).body for name in defined_by(node)}
    assert found == set(names.split())
