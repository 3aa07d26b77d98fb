"""Move one distribution's version, every pin of it in its siblings, and its changelog, together.

The changelog's ``## Unreleased`` becomes the new version's section; without one there is nothing
to release, and nothing is changed. The sdk pins each of its parts exactly, so a part's new version
is noted in the sdk's own ``## Unreleased``: the sdk is bumped, and released, last.
"""

from __future__ import annotations

import argparse
import datetime as dt
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("major", "minor", "patch")
Version = tuple[int, int, int]


def read_version(package: Path) -> Version:
    """The version that stands in the package's ``_version.py``."""
    match = re.search(r'"(\d+)\.(\d+)\.(\d+)"', version_file(package).read_text(encoding="utf-8"))
    if match is None:
        sys.exit(f"{version_file(package)} holds no version")
    major, minor, patch = map(int, match.groups())
    return major, minor, patch


def version_file(package: Path) -> Path:
    return package / "src" / f"chaojiyuyan_{package.name}" / "_version.py"


def bumped(version: Version, part: str) -> Version:
    """The next version, where ``part`` and what is right of it changes."""
    at = PARTS.index(part)
    major, minor, patch = (*version[:at], version[at] + 1, *(0 for _ in version[at + 1 :]))
    return major, minor, patch


def text_of(version: Version) -> str:
    return ".".join(map(str, version))


def compatible_range(version: Version) -> str:
    """The versions that work like this one: its minor series, or from 1.0 on its major one."""
    major, minor, _ = version
    return f">=0.{minor},<0.{minor + 1}" if major == 0 else f">={major},<{major + 1}"


def move_pins(text: str, name: str, old: Version, new: Version) -> str:
    """``pyproject.toml`` with the exact pin of ``name`` moved, and its range if it is left.

    Inside a series the range stays: its lower bound says what the sibling that wrote it needs.
    """
    text = re.sub(rf'"{name}==[\d.]+"', f'"{name}=={text_of(new)}"', text)
    if compatible_range(old) == compatible_range(new):
        return text
    return re.sub(rf'"{name}>=[\d.]+,<[\d.]+"', f'"{name}{compatible_range(new)}"', text)


def close_section(changelog: str, version: str, today: dt.date) -> str:
    """The changelog with what was unreleased under the version's own heading."""
    return re.sub(r"(?m)^## Unreleased$", f"## {version} - {today}", changelog, count=1)


def note_unreleased(changelog: str, line: str) -> str:
    """The changelog with a line more under ``## Unreleased``, which is made where it is missing."""
    if "\n## Unreleased\n" in changelog:
        return changelog.replace("\n## Unreleased\n\n", f"\n## Unreleased\n\n{line}\n", 1)
    heading, _, rest = changelog.partition("\n## ")
    return f"{heading}\n## Unreleased\n\n{line}\n\n## {rest}"


def bump(root: Path, name: str, part: str, today: dt.date) -> Version:
    """Rewrite the files of the checkout at ``root`` and return the new version."""
    package = root / "packages" / name
    old = read_version(package)
    new = bumped(old, part)
    distribution = f"chaojiyuyan-{name}"

    changelog = package / "CHANGELOG.md"
    text = changelog.read_text(encoding="utf-8")
    section = re.search(r"(?ms)^## Unreleased\n(.*?)(?=^## |\Z)", text)
    if section is None or not section[1].strip():
        sys.exit(f"{changelog.relative_to(root)} has nothing under '## Unreleased' to release")

    changelog.write_text(close_section(text, text_of(new), today), encoding="utf-8")
    version = version_file(package)
    stated = version.read_text(encoding="utf-8")
    version.write_text(stated.replace(text_of(old), text_of(new)), encoding="utf-8")
    if name == "mcp":  # the entry of the MCP registry names the server's version and its package's
        entry = root / "server.json"
        stated = entry.read_text(encoding="utf-8")
        entry.write_text(stated.replace(text_of(old), text_of(new)), encoding="utf-8")
    for pyproject in sorted(root.glob("packages/*/pyproject.toml")):
        pins = pyproject.read_text(encoding="utf-8")
        moved = move_pins(pins, distribution, old, new)
        if moved != pins:
            pyproject.write_text(moved, encoding="utf-8")
    if name != "sdk":
        sdk = root / "packages" / "sdk" / "CHANGELOG.md"
        noted = note_unreleased(
            sdk.read_text(encoding="utf-8"), f"- Brings {distribution} {text_of(new)}."
        )
        sdk.write_text(noted, encoding="utf-8")
    return new


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bump", description=__doc__)
    parser.add_argument("package", choices=sorted(p.name for p in (ROOT / "packages").iterdir()))
    parser.add_argument("part", choices=PARTS)
    args = parser.parse_args()
    today = dt.datetime.now(dt.timezone.utc).date()
    new = bump(ROOT, args.package, args.part, today)
    print(f"chaojiyuyan-{args.package} {text_of(new)}")


if __name__ == "__main__":
    main()
