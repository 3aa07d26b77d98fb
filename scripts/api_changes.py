"""Compare the public API of a distribution with the last release, and find the required step.

The public API is all names in the sources without a leading ``_``; griffe reads the sources without
running them. The last release is the newest tag ``v*`` among this commit's ancestors; before the
first tag no step is required.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import griffe

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
STEPS = ("patch", "minor", "major")
"""The parts of a version that a release may increment, smallest first."""

NOT_COUNTED = {
    griffe.BreakageKind.ATTRIBUTE_CHANGED_VALUE,  # such as that of __version__
    griffe.BreakageKind.OBJECT_REMOVED,  # counted by name, where it left __all__ as well
}
"""The kinds of changes that are ignored."""


@dataclass(frozen=True)
class Changes:
    """The changes since the last release.

    Attributes:
        tag: The tag of that release, or None before the first.
        broken: The breaking changes, one line each.
        added: The paths of new public names.
    """

    tag: str | None
    broken: list[str]
    added: list[str]

    def demanded(self, version: tuple[int, int, int]) -> str:
        """Return the smallest allowed step.

        Args:
            version: The version of the last release.

        Returns:
            ``patch``, ``minor`` or ``major``; below 1.0 a minor version may break.
        """
        if self.broken:
            return "minor" if version[0] == 0 else "major"
        return "minor" if self.added else "patch"


def last_tag(root: Path) -> str | None:
    """Return the tag of the last release among the checkout's ancestors."""
    command = ["git", "-C", str(root), "describe", "--tags", "--abbrev=0", "--match", "v*"]
    found = subprocess.run(command, check=False, text=True, capture_output=True)
    return found.stdout.strip() if found.returncode == 0 else None


def compare(root: Path, name: str) -> Changes:
    """Compare a package of the checkout with the last release.

    Args:
        root: The checkout.
        name: The folder of the package, such as ``client``.

    Returns:
        What is broken and what is new.
    """
    tag = last_tag(root)
    package, source = f"chaojiyuyan_{name}", f"packages/{name}/src"
    if tag is None or not is_in(root, tag, f"{source}/{package}/__init__.py"):
        return Changes(None, [], [])
    new = griffe.load(package, search_paths=[root / source], allow_inspection=False)
    old = griffe.load_git(
        package, ref=tag, repo=root, search_paths=[source], allow_inspection=False
    )
    before, now = {*public_paths(old)}, {*public_paths(new)}
    changed = [
        breakage.explain(griffe.ExplanationStyle.ONE_LINE)
        for breakage in griffe.find_breaking_changes(old, new)
        if breakage.kind not in NOT_COUNTED
    ]
    gone = [f"{path}: no longer public" for path in sorted(before - now)]
    return Changes(tag, [*gone, *changed], sorted(now - before))


def is_in(root: Path, tag: str, path: str) -> bool:
    """Return whether a file was part of a release."""
    command = ["git", "-C", str(root), "cat-file", "-e", f"{tag}:{path}"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def public_paths(thing: griffe.Object | griffe.Alias) -> Iterator[str]:
    """Yield the path of every public name in a module or a class, including inherited ones."""
    for name, member in thing.all_members.items():
        if not member.is_public:
            continue
        yield f"{thing.path}.{name}"
        if not member.is_alias and (member.is_module or member.is_class):
            yield from public_paths(member)


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/api_changes.py", description=__doc__)
    packages = sorted(path.name for path in (ROOT / "packages").iterdir())
    parser.add_argument("packages", nargs="*", default=packages, metavar="PACKAGE")
    for name in parser.parse_args().packages:
        changes = compare(ROOT, name)
        print(f"chaojiyuyan-{name}: {len(changes.broken)} broken, {len(changes.added)} added")
        for line in changes.broken:
            print(f"  {line}")
        for path in changes.added:
            print(f"  new: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
