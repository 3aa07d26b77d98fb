"""There are no circular imports in a package, including imports in functions."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = sorted((Path(__file__).resolve().parents[2] / "packages").glob("*/src/chaojiyuyan_*"))


def find_modules(package: Path) -> dict[str, Path]:
    """Return the package's modules by their full names; packages are modules as well."""
    found = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_at_run_time(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Return the import statements, without those under TYPE_CHECKING."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for other in node.orelse:
                yield from imports_at_run_time(ast.Module([other], []))
        else:
            yield from imports_at_run_time(node)


def names_imported(
    node: ast.Import | ast.ImportFrom, module: str, *, is_package: bool
) -> Iterator[str]:
    """Return the modules that a statement names; for ``from a import b`` also ``a.b``."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    home = node.module or ""
    if node.level:
        parts = module.split(".")
        above = parts[: len(parts) - node.level + is_package]
        home = ".".join([*above, home] if home else above)
    for alias in node.names:
        yield f"{home}.{alias.name}"
    yield home


def graph_of(modules: dict[str, Path]) -> dict[str, set[str]]:
    """Return the modules that each imports; for ``from package import module`` only the module."""
    graph = {}
    for module, path in modules.items():
        is_package = path.name == "__init__.py"
        graph[module] = set()
        for node in imports_at_run_time(ast.parse(path.read_text(encoding="utf-8"))):
            named = list(names_imported(node, module, is_package=is_package))
            *members, home = named if isinstance(node, ast.ImportFrom) else [*named, ""]
            found = {name for name in members if name in modules}
            if isinstance(node, ast.ImportFrom) and len(found) < len(members):
                found |= {home} & modules.keys()
            graph[module] |= found - {module}
    return graph


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: str(path.name))
def test_there_are_no_circular_imports(package: Path) -> None:
    graph = graph_of(find_modules(package))
    assert any(graph.values())
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))


def test_a_circular_import_is_found(tmp_path: Path) -> None:
    package = tmp_path / "p"
    (package / "sub").mkdir(parents=True)
    sources = {
        "__init__.py": "",
        "a.py": "from .sub import b",
        "sub/__init__.py": "",
        "sub/b.py": "def f():\n    from p import c",
        "c.py": "if TYPE_CHECKING:\n    import p.a\nelse:\n    from .a import name",
    }
    for name, source in sources.items():
        (package / name).write_text(source)
    graph = graph_of(find_modules(package))
    assert graph["p.a"] == {"p.sub.b"}
    assert graph["p.sub.b"] == {"p.c"}
    assert graph["p.c"] == {"p.a"}
    with pytest.raises(CycleError):
        TopologicalSorter(graph).prepare()
