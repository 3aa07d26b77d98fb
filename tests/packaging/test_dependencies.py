"""Each distribution declares what its modules import, and nothing that they do not."""

from __future__ import annotations

import ast
import re
import sys
from typing import TYPE_CHECKING

import pytest

from .test_versions import PACKAGES, ROOT, project

if TYPE_CHECKING:
    from collections.abc import Iterator

# The distributions whose modules have another name.
OWNERS = {"opentelemetry": "opentelemetry-api", "yaml": "pyyaml"}
DECLARED_FOR_OTHERS = {
    "devserver": {"httptools", "python-multipart"},  # uvicorn parses with it; FastAPI, forms
    "sdk": {"chaojiyuyan-devserver", "mcp"},  # what it brings, and what conflicts at once
}
# What a package imports from the dependencies of what it declares: a range of ours could only
# contradict theirs. pytest imports the plugin, not the other way round.
BROUGHT = {
    # by httpx; anyio brings typing-extensions below Python 3.13, core needs it below 3.11
    "core": {"httpcore", "typing-extensions"},
    # by jsonschema; OpenTelemetry is used only where the program has loaded it
    "client": {"opentelemetry-api", "referencing"},
    "devserver": {"markupsafe", "pydantic-core", "pytest", "starlette", "typing-extensions"},
    "mcp": {"mcp-types", "referencing", "starlette", "uvicorn"},  # by mcp and jsonschema
}


def imports_of(tree: ast.AST) -> Iterator[str]:
    """The top-level names of what runs import; what is under TYPE_CHECKING does not run."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]
        yield from imports_of(node)


def declared(name: str) -> set[str]:
    """The distributions that a package asks for, in its extras too."""
    described = project(name)
    extras = described.get("optional-dependencies", {}).values()
    lines = [*described["dependencies"], *(line for extra in extras for line in extra)]
    return {re.findall(r"^[\w-]+", line)[0].lower() for line in lines}


def brought(name: str) -> set[str]:
    """What a package can count on: what it asks for, and what its siblings ask for."""
    found = declared(name)
    for sibling in PACKAGES:
        if f"chaojiyuyan-{sibling}" in found and sibling != name:
            found |= brought(sibling)
    return found


@pytest.mark.parametrize("name", PACKAGES)
def test_what_is_imported_is_declared_and_the_other_way_round(name: str) -> None:
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
