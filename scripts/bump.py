"""Bump one distribution's version, its pins in the other distributions, and its changelog.

The changelog's ``## Unreleased`` becomes the section of the new version; if it is empty, there is
nothing to release and nothing is changed. The public API is compared with that of the last release:
a step that is too small for a breaking change or an addition is refused.

If the range for this distribution in another one changes, that one must be released too, because
its release on the index has the old range; its ``## Unreleased`` records this. The sdk, which pins
its parts exactly, is bumped last.
"""

from __future__ import annotations

import argparse
import datetime as dt
import re
import sys
from pathlib import Path

from api_changes import STEPS, compare

import sbom

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("major", "minor", "patch")
TAKES = "Takes"
"""Start of the changelog line about a changed range."""

Version = tuple[int, int, int]


def read_version(package: Path) -> Version:
    """Return the version in the package's ``_version.py``."""
    match = re.search(r'"(\d+)\.(\d+)\.(\d+)"', version_file(package).read_text(encoding="utf-8"))
    if match is None:
        sys.exit(f"{version_file(package)} holds no version")
    major, minor, patch = map(int, match.groups())
    return major, minor, patch


def version_file(package: Path) -> Path:
    return package / "src" / f"chaojiyuyan_{package.name}" / "_version.py"


def bumped(version: Version, part: str) -> Version:
    """Return the next version: increment ``part`` and set the parts after it to 0."""
    at = PARTS.index(part)
    major, minor, patch = (*version[:at], version[at] + 1, *(0 for _ in version[at + 1 :]))
    return major, minor, patch


def text_of(version: Version) -> str:
    return ".".join(map(str, version))


def compatible_range(version: Version) -> str:
    """Return the compatible versions: the minor series, or from 1.0 on the major series."""
    major, minor, _ = version
    return f">=0.{minor},<0.{minor + 1}" if major == 0 else f">={major},<{major + 1}"


def move_pins(text: str, name: str, old: Version, new: Version) -> str:
    """Return ``pyproject.toml`` with the new exact pin of ``name``, or the new range if needed.

    A range that includes the new version does not change: its lower bound is what the other
    distribution needs.
    """
    text = re.sub(rf'"{name}==[\d.]+"', f'"{name}=={text_of(new)}"', text)
    if compatible_range(old) == compatible_range(new):
        return text
    return re.sub(rf'"{name}>=[\d.]+,<[\d.]+"', f'"{name}{compatible_range(new)}"', text)


def unreleased(changelog: str) -> str:
    """Return the changelog's text under ``## Unreleased``."""
    section = re.search(r"(?ms)^## Unreleased\n(.*?)(?=^## |\Z)", changelog)
    return section[1].strip() if section else ""


def close_section(changelog: str, version: str, today: dt.date) -> str:
    """Return the changelog with the unreleased entries under the version's heading."""
    return re.sub(r"(?m)^## Unreleased$", f"## {version} - {today}", changelog, count=1)


def note_unreleased(changelog: str, line: str) -> str:
    """Return the changelog with one more line under ``### Changed`` of ``## Unreleased``."""
    if "\n## Unreleased\n" not in changelog:
        heading, _, rest = changelog.partition("\n## ")
        return f"{heading}\n## Unreleased\n\n### Changed\n\n{line}\n\n## {rest}"
    before, mark, after = changelog.partition("\n## Unreleased\n")
    section, end, rest = after.partition("\n## ")
    if "\n### Changed\n\n" in section:
        section = section.replace("\n### Changed\n\n", f"\n### Changed\n\n{line}\n", 1)
    else:
        section = f"{section.rstrip()}\n\n### Changed\n\n{line}\n"
    return f"{before}{mark}{section}{end}{rest}"


def refuse_small_step(root: Path, name: str, part: str, version: Version) -> None:
    """Exit if the public API differs from the last release by more than the step allows."""
    changes = compare(root, name)
    demanded = changes.demanded(version)
    if STEPS.index(part) < STEPS.index(demanded):
        lines = [*changes.broken, *(f"new: {path}" for path in changes.added)]
        shown = "\n  ".join(lines[:20])
        sys.exit(f"since {changes.tag} this is a {demanded} step, at least:\n  {shown}")


def bump(root: Path, name: str, part: str, today: dt.date) -> Version:
    """Rewrite the files of the checkout at ``root`` and return the new version."""
    package = root / "packages" / name
    old = read_version(package)
    new = bumped(old, part)
    distribution = f"chaojiyuyan-{name}"

    changelog = package / "CHANGELOG.md"
    text = changelog.read_text(encoding="utf-8")
    if not unreleased(text):
        sys.exit(f"{changelog.relative_to(root)} has nothing under '## Unreleased' to release")
    if name == "sdk" and (waiting := left_behind(root)):
        sys.exit(f"bump these first, because their ranges have changed: {', '.join(waiting)}")

    refuse_small_step(root, name, part, old)
    changelog.write_text(close_section(text, text_of(new), today), encoding="utf-8")
    replace(version_file(package), text_of(old), text_of(new))
    (package / sbom.FILE).write_text(sbom.text_of(package), encoding="utf-8")
    if (
        name == "mcp"
    ):  # the entry for the MCP registry has the version of the server and of its package
        replace(root / "packages" / "mcp" / "server.json", text_of(old), text_of(new))
    for other in sorted((root / "packages").iterdir()):
        pyproject = other / "pyproject.toml"
        pins = pyproject.read_text(encoding="utf-8")
        moved = move_pins(pins, distribution, old, new)
        if moved == pins:
            continue
        pyproject.write_text(moved, encoding="utf-8")
        line = f"- {TAKES} {distribution}{compatible_range(new)}."
        if other.name == "sdk":
            line = f"- Brings {distribution} {text_of(new)}."
        log = other / "CHANGELOG.md"
        log.write_text(note_unreleased(log.read_text(encoding="utf-8"), line), encoding="utf-8")
    return new


def left_behind(root: Path) -> list[str]:
    """Return the distributions whose ranges have changed since their last release."""
    return [
        changelog.parent.name
        for changelog in sorted(root.glob("packages/*/CHANGELOG.md"))
        if f"- {TAKES} chaojiyuyan-" in unreleased(changelog.read_text(encoding="utf-8"))
    ]


def replace(file: Path, old: str, new: str) -> None:
    file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


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
