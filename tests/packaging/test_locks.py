"""The dependencies of the checkout are locked with hashes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import lock

ROOT = Path(__file__).resolve().parents[2]


def locked(name: str) -> dict[str, list[str]]:
    """Return the versions of each package in a lock, each of which must have a hash."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    entry = r"(?m)^([\w.-]+)==([\w.]+)[^\n]*\n(?:    --hash=sha256:\w{64}.*\n)+"
    entries = re.findall(entry, text)
    assert len(entries) == len(re.findall(r"(?m)^\w", text)), "an entry without a hash"
    found: dict[str, list[str]] = {}
    for package, version in entries:
        found.setdefault(canonicalize_name(package), []).append(version)
    return found


def missing(requirements: list[str], found: dict[str, list[str]]) -> list[str]:
    """Return the requirements that no version in the lock satisfies."""
    return [
        line
        for line in requirements
        for wanted in [Requirement(line)]
        if not any(
            wanted.specifier.contains(version, prereleases=True)
            for version in found.get(canonicalize_name(wanted.name), [])
        )
    ]


@pytest.mark.parametrize(("file", "tools"), [("tests.txt", False), ("tools.txt", True)])
def test_the_dependencies_of_all_environments_are_locked(file: str, *, tools: bool) -> None:
    wanted = [*lock.of_environments(ROOT, tools=tools), *lock.of_packages(ROOT)]
    assert missing(wanted, locked(file)) == [], "run ./scripts/lock"


def test_the_build_tool_is_locked() -> None:
    assert missing([lock.HATCH], locked("hatch.txt")) == []


def test_the_locks_agree() -> None:
    tests, tools = locked("tests.txt"), locked("tools.txt")
    differing = {name for name in {*tests} & {*tools} if not {*tools[name]} <= {*tests[name]}}
    assert differing == set(), "one environment is held to both"


def test_node_tools_are_locked_with_hashes() -> None:
    folder = ROOT / "scripts" / "node"
    described = json.loads((folder / "package.json").read_text(encoding="utf-8"))
    packages = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    for name, version in {**described["dependencies"], **described["optionalDependencies"]}.items():
        assert packages[f"node_modules/{name}"]["version"] == version
    assert all("integrity" in entry for path, entry in packages.items() if path)
