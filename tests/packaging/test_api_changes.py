"""The version step that a change of the public API requires."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from api_changes import compare

if TYPE_CHECKING:
    from pathlib import Path

MODULE = """
__all__ = ["Client", "call"]

LIMIT = 5
__version__ = "0.5.0"


class Client:
    def run(self, key: str, *, timeout: float = 1.0) -> None: ...


def call(key: str) -> str: ...


def _private(key: str) -> None: ...
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Create a repository with one package, released as v0.5.0."""
    package = tmp_path / "packages" / "core" / "src" / "chaojiyuyan_core"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(MODULE, encoding="utf-8")
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    for command in (
        ["init", "-q"],
        ["add", "."],
        [*identity, "commit", "-qm", "one"],
        ["tag", "v0.5.0"],
    ):
        subprocess.run(["git", "-C", tmp_path, *command], check=True)
    return tmp_path


def change(checkout: Path, old: str, new: str) -> None:
    module = checkout / "packages" / "core" / "src" / "chaojiyuyan_core" / "__init__.py"
    text = module.read_text(encoding="utf-8")
    assert old in text
    module.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "below_one", "from_one"),
    [
        ("call(key: str)", "call(key: str, *, wait: bool)", "minor", "major"),
        ("def run(", "def start(", "minor", "major"),
        ("timeout: float", "seconds: float", "minor", "major"),
        ('"Client", "call"', '"Client"', "minor", "major"),
        ("call(key: str)", "call(key: str, wait: bool = False)", "patch", "patch"),
        ("def call", "class Job: ...\n\n\ndef call", "patch", "patch"),
        ("def _private(key: str)", "def _other()", "patch", "patch"),
        ('"0.5.0"', '"0.5.1"', "patch", "patch"),
    ],
)
def test_each_kind_of_change_demands_its_step(
    checkout: Path, old: str, new: str, below_one: str, from_one: str
) -> None:
    change(checkout, old, new)
    changes = compare(checkout, "core")
    assert changes.tag == "v0.5.0"
    assert changes.demanded((0, 5, 0)) == below_one
    assert changes.demanded((1, 5, 0)) == from_one


def test_a_new_public_name_is_a_minor_step(checkout: Path) -> None:
    change(checkout, '"call"]', '"call", "Job"]')
    change(checkout, "def call", "class Job: ...\n\n\ndef call")
    changes = compare(checkout, "core")
    assert changes.broken == []
    assert changes.added == ["chaojiyuyan_core.Job"]
    assert changes.demanded((1, 0, 0)) == "minor"


def test_before_the_first_release_nothing_is_demanded(checkout: Path) -> None:
    subprocess.run(["git", "-C", checkout, "tag", "-d", "v0.5.0"], check=True, capture_output=True)
    change(checkout, "def run(", "def start(")
    assert compare(checkout, "core").demanded((0, 5, 0)) == "patch"


def test_a_new_package_demands_nothing(checkout: Path) -> None:
    package = checkout / "packages" / "extra" / "src" / "chaojiyuyan_extra"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("def new(): ...\n", encoding="utf-8")
    assert compare(checkout, "extra").demanded((0, 5, 0)) == "patch"
