"""Versions, pins and changelogs, read from the sources, since installed metadata may be old."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bump as scripts_bump

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = sorted(path.name for path in (ROOT / "packages").iterdir())
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
PARTS_OF_SDK = ["cli", "client", "core", "devserver", "mcp", "worker"]


def project(name: str, root: Path = ROOT) -> dict:
    text = (root / "packages" / name / "pyproject.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)["project"]


def version_of(name: str, root: Path = ROOT) -> str:
    package = f"chaojiyuyan_{name}"
    return runpy.run_path(str(root / "packages" / name / "src" / package / "_version.py"))[
        "__version__"
    ]


def changelog(name: str, root: Path = ROOT) -> str:
    return (root / "packages" / name / "CHANGELOG.md").read_text(encoding="utf-8")


def sibling_pins(name: str, root: Path = ROOT) -> list[tuple[str, str]]:
    """Return (name, specifier) for each of this project's packages that the package needs."""
    described = project(name, root)
    every = [*described["dependencies"]]
    for extra in described.get("optional-dependencies", {}).values():
        every += extra
    return re.findall(r"chaojiyuyan-(\w+)([=<>][^\n]*)", "\n".join(every))


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def admits(specifier: str, version: str) -> bool:
    exact = re.fullmatch(r"==([\d.]+)", specifier)
    if exact:
        return exact[1] == version
    bounds = re.fullmatch(r">=([\d.]+),<([\d.]+)", specifier)
    assert bounds, f"{specifier!r} is neither an exact pin nor a range with two ends"
    return numbers(bounds[1]) <= numbers(version) < numbers(bounds[2])


@pytest.mark.parametrize("name", PACKAGES)
def test_every_pin_admits_the_version_in_the_checkout(name: str) -> None:
    for sibling, specifier in sibling_pins(name):
        assert admits(specifier, version_of(sibling)), f"{name} pins {sibling}{specifier}"


def test_the_sdk_pins_its_parts_and_others_use_ranges() -> None:
    assert sorted(sibling for sibling, _ in sibling_pins("sdk")) == PARTS_OF_SDK
    for name in PACKAGES:
        for sibling, specifier in sibling_pins(name):
            assert specifier.startswith("==") == (name == "sdk"), f"{name}: {sibling}{specifier}"


def test_the_sdk_repeats_the_range_of_mcp() -> None:
    asked = [
        [line for line in project(name)["dependencies"] if line.startswith("mcp")]
        for name in ("mcp", "sdk")
    ]
    assert asked[0] == asked[1]


@pytest.mark.parametrize("name", PACKAGES)
def test_the_newest_release_of_the_changelog_is_the_version(name: str) -> None:
    text = changelog(name)
    assert text.startswith(f"# Changelog of chaojiyuyan-{name}\n")
    headings = re.findall(r"(?m)^## (.*)$", text)
    assert "keepachangelog.com" in text.split("\n## ")[0]
    releases = headings[1:] if headings[0] == "Unreleased" else headings
    for heading in releases:
        assert re.fullmatch(r"\d+\.\d+\.\d+( - \d{4}-\d\d-\d\d)?", heading), heading
    versions = [heading.split(" ")[0] for heading in releases]
    assert versions[0] == version_of(name)
    assert versions == sorted(versions, key=numbers, reverse=True)


@pytest.mark.parametrize("name", PACKAGES)
def test_changelog_entries_are_grouped_by_kind(name: str) -> None:
    for release in changelog(name).split("\n## ")[1:]:
        for section in release.split("\n\n", 1)[1].split("### ")[1:]:
            kind, _, lines = section.partition("\n\n")
            assert kind in KINDS
            assert lines.startswith("- ")
        assert re.match(r"[^\n]+\n\n### ", release), "a line stands under no kind"


def test_the_sdk_changelog_lists_the_versions_of_its_parts() -> None:
    for sibling, specifier in sibling_pins("sdk"):
        newest = re.search(rf"Brings chaojiyuyan-{sibling} ([\d.]+\d)", changelog("sdk"))
        assert newest, f"the sdk's changelog does not say which {sibling} it brings"
        assert specifier == f"=={newest[1]}"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Create a checkout with the files that the version script reads and writes."""
    for name in PACKAGES:
        here, there = ROOT / "packages" / name, tmp_path / "packages" / name
        for part in ("pyproject.toml", "CHANGELOG.md", f"src/chaojiyuyan_{name}/_version.py"):
            (there / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(here / part, there / part)
    (tmp_path / "scripts").mkdir()
    for script in ("api_changes.py", "bump.py", "sbom.py"):
        shutil.copy(ROOT / "scripts" / script, tmp_path / "scripts")
    entry = Path("packages", "mcp", "server.json")
    shutil.copyfile(ROOT / entry, tmp_path / entry)
    return tmp_path


def bump(copy: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, copy / "scripts" / "bump.py", *args]
    return subprocess.run(command, text=True, capture_output=True, timeout=60)


def note(copy: Path, name: str, line: str) -> None:
    file = copy / "packages" / name / "CHANGELOG.md"
    text = file.read_text(encoding="utf-8")
    if "## Unreleased" not in text:
        text = text.replace("\n## ", f"\n## Unreleased\n\n### Fixed\n\n- {line}\n\n## ", 1)
    file.write_text(text, encoding="utf-8")


def test_bump_changes_version_pins_and_changelog(copy: Path) -> None:
    before = version_of("client", copy)
    major, minor, _ = numbers(before)
    expected = f"{major}.{minor + 1}.0"
    note(copy, "client", "A new thing.")

    result = bump(copy, "client", "minor")

    assert (result.returncode, result.stdout) == (0, f"chaojiyuyan-client {expected}\n")
    assert version_of("client", copy) == expected
    assert re.search(rf"(?m)^## {expected} - \d{{4}}-\d\d-\d\d$", changelog("client", copy))
    for name in PACKAGES:
        for sibling, specifier in sibling_pins(name, copy):
            assert admits(specifier, version_of(sibling, copy)), f"{name}: {sibling}{specifier}"
            if sibling == "client" and name != "sdk":
                assert not admits(specifier, before), "below 1.0 a minor version may break"
    brings = f"## Unreleased\n\n### Changed\n\n- Brings chaojiyuyan-client {expected}.\n"
    assert brings in changelog("sdk", copy)


def test_bump_of_the_sdk_releases_the_entries_of_its_parts(copy: Path) -> None:
    for name in ("worker", "client"):
        note(copy, name, "Mended.")
        assert bump(copy, name, "patch").returncode == 0
    assert bump(copy, "sdk", "patch").returncode == 0
    top = changelog("sdk", copy).split("\n## ")[1]
    assert top.startswith(version_of("sdk", copy))
    assert f"- Brings chaojiyuyan-client {version_of('client', copy)}.\n" in top
    assert f"- Brings chaojiyuyan-worker {version_of('worker', copy)}.\n" in top


def test_a_patch_bump_keeps_the_ranges(copy: Path) -> None:
    before = {name: sibling_pins(name, copy) for name in PACKAGES if name != "sdk"}
    note(copy, "core", "Mended.")
    assert bump(copy, "core", "patch").returncode == 0
    assert {name: sibling_pins(name, copy) for name in PACKAGES if name != "sdk"} == before


def test_bump_of_the_sdk_waits_for_parts_with_new_ranges(copy: Path) -> None:
    note(copy, "core", "Breaks.")
    assert bump(copy, "core", "minor").returncode == 0
    refused = bump(copy, "sdk", "minor")
    assert refused.returncode == 1
    assert "client, worker" in refused.stderr, "those on the index ask for the old core"
    for name in ("client", "worker"):
        assert f"- Takes chaojiyuyan-core>={version_of('core', copy)[:-2]}" in changelog(name, copy)
        assert bump(copy, name, "patch").returncode == 0
    assert bump(copy, "sdk", "minor").returncode == 0


def test_bump_of_mcp_updates_the_registry_entry(copy: Path) -> None:
    note(copy, "mcp", "Mended.")
    assert bump(copy, "mcp", "patch").returncode == 0
    entry = json.loads((copy / "packages" / "mcp" / "server.json").read_text(encoding="utf-8"))
    assert entry["version"] == entry["packages"][0]["version"] == version_of("mcp", copy)


def test_bump_refuses_an_empty_release(copy: Path) -> None:
    before = version_of("worker", copy)
    result = bump(copy, "worker", "patch")
    assert result.returncode == 1
    assert "Unreleased" in result.stderr
    assert version_of("worker", copy) == before


@pytest.mark.parametrize(
    ("version", "part", "expected"),
    [
        ((0, 5, 3), "patch", (0, 5, 4)),
        ((0, 5, 3), "minor", (0, 6, 0)),
        ((0, 5, 3), "major", (1, 0, 0)),
    ],
)
def test_the_next_version(version: tuple, part: str, expected: tuple) -> None:
    assert scripts_bump.bumped(version, part) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ((0, 5, 0), (0, 5, 1), ">=0.5.0,<0.6"),
        ((0, 5, 0), (0, 6, 0), ">=0.6,<0.7"),
        ((0, 9, 0), (1, 0, 0), ">=1,<2"),
    ],
)
def test_a_range_changes_only_if_the_version_leaves_it(
    old: tuple, new: tuple, expected: str
) -> None:
    text = '"chaojiyuyan-core>=0.5.0,<0.6", "chaojiyuyan-corelike>=0.5,<0.6"'
    moved = scripts_bump.move_pins(text, "chaojiyuyan-core", old, new)
    assert moved == f'"chaojiyuyan-core{expected}", "chaojiyuyan-corelike>=0.5,<0.6"'


def test_bump_refuses_a_step_that_is_too_small(copy: Path) -> None:
    source = Path("packages", "core", "src", "chaojiyuyan_core")
    for file in ("__init__.py", "times.py"):
        shutil.copyfile(ROOT / source / file, copy / source / file)
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "1"], ["tag", "v1"]):
        subprocess.run(["git", "-C", copy, *command], check=True)
    (copy / source / "times.py").unlink()
    note(copy, "core", "Less.")
    before = version_of("core", copy)

    refused = bump(copy, "core", "patch")

    assert refused.returncode == 1
    assert "since v1 this is a minor step" in refused.stderr
    assert "times" in refused.stderr
    assert version_of("core", copy) == before
    assert bump(copy, "core", "minor").returncode == 0
