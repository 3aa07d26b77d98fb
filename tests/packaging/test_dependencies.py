"""Each distribution declares exactly the dependencies that its modules import."""

from __future__ import annotations

import ast
import re
import sys
from typing import TYPE_CHECKING

import pytest

from .test_versions import PACKAGES, ROOT, project

if TYPE_CHECKING:
    from collections.abc import Iterator

# The distributions whose modules have different names.
OWNERS = {"opentelemetry": "opentelemetry-api", "yaml": "pyyaml"}
DECLARED_FOR_OTHERS = {
    "devserver": {"httptools", "python-multipart"},  # used by uvicorn, and by FastAPI for forms
    "sdk": {
        "chaojiyuyan-devserver",
        "mcp",
    },  # a part of the sdk, and a range that makes conflicts visible
}
# Imports from indirect dependencies. They are not declared, because a second range could only
# conflict with that of the direct dependency. pytest imports the plugin, which imports pytest.
BROUGHT = {
    # through httpx; anyio needs typing-extensions below Python 3.13, core needs it below 3.11
    "core": {"httpcore", "typing-extensions"},
    # through jsonschema; OpenTelemetry is used only if the program has loaded it
    "client": {"opentelemetry-api", "referencing"},
    "devserver": {"markupsafe", "pydantic-core", "pytest", "starlette", "typing-extensions"},
    "mcp": {"mcp-types", "referencing", "starlette", "uvicorn"},  # through mcp and jsonschema
}


def imports_of(tree: ast.AST) -> Iterator[str]:
    """Return the top-level names of all imports, except those under TYPE_CHECKING."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]
        yield from imports_of(node)


def declared(name: str) -> set[str]:
    """Return the dependencies of a package, including its extras."""
    described = project(name)
    extras = described.get("optional-dependencies", {}).values()
    lines = [*described["dependencies"], *(line for extra in extras for line in extra)]
    return {re.findall(r"^[\w-]+", line)[0].lower() for line in lines}


def brought(name: str) -> set[str]:
    """Return the dependencies of a package and of this project's packages among them."""
    found = declared(name)
    for sibling in PACKAGES:
        if f"chaojiyuyan-{sibling}" in found and sibling != name:
            found |= brought(sibling)
    return found


@pytest.mark.parametrize("name", PACKAGES)
def test_imports_and_dependencies_are_the_same(name: str) -> None:
    imported: set[str] = set()
    for module in (ROOT / "packages" / name / "src").rglob("*.py"):
        for top in imports_of(ast.parse(module.read_text(encoding="utf-8"))):
            if top.startswith("chaojiyuyan_"):
                imported.add(top.replace("_", "-"))
            elif top not in sys.stdlib_module_names:
                imported.add(OWNERS.get(top, top.replace("_", "-")))
    imported -= {f"chaojiyuyan-{name}"}
    assert imported - brought(name) - BROUGHT.get(name, set()) == set(), "imported, not declared"
    unused = declared(name) - imported - DECLARED_FOR_OTHERS.get(name, set())
    assert unused == set(), "declared, not imported"
