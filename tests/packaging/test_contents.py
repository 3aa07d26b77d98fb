"""The metadata and the content of the built files."""

from __future__ import annotations

import hashlib
import json
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import sbom

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(path.name for path in (ROOT / "packages").iterdir())
MIT = (ROOT / "LICENSE").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_wheel_is_complete(wheels: Path, name: str) -> None:
    (wheel,) = wheels.glob(f"chaojiyuyan_{name}-*-py3-none-any.whl")
    source = ROOT / "packages" / name / "src"
    with zipfile.ZipFile(wheel) as archive:
        packed = {path for path in archive.namelist() if ".dist-info/" not in path}
        (metadata,) = (path for path in archive.namelist() if path.endswith("/METADATA"))
        described = Parser().parsestr(archive.read(metadata).decode())
        assert archive.read(metadata.replace("METADATA", "licenses/LICENSE")) == MIT
    data = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"}
    }
    assert data <= packed, "not only the modules"
    assert f"chaojiyuyan_{name}/py.typed" in packed
    # The devserver bundles htmx.
    assert described["License-Expression"] == ("MIT AND 0BSD" if name == "devserver" else "MIT")
    assert described["Requires-Python"] == ">=3.10"
    readme = (ROOT / "packages" / name / "README.md").read_text(encoding="utf-8")
    assert described.get_payload().strip() == readme.strip()


@pytest.mark.parametrize("name", NAMES)
def test_an_sdist_contains_its_changelog_and_licence(wheels: Path, name: str) -> None:
    (sdist,) = wheels.glob(f"chaojiyuyan_{name}-*.tar.gz")
    with tarfile.open(sdist) as archive:
        inside = {path.partition("/")[2] for path in archive.getnames()}
    assert {"CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml"} <= inside


@pytest.mark.parametrize("name", NAMES)
def test_a_wheel_contains_its_bill_of_materials(wheels: Path, name: str) -> None:
    (wheel,) = wheels.glob(f"chaojiyuyan_{name}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (path for path in archive.namelist() if "/sboms/" in path)
        bill = json.loads(archive.read(path))
        brought = [part for each in bill["components"] for part in each["components"]]
        for part in brought:
            digest = hashlib.sha256(archive.read(part["name"])).hexdigest()
            assert part["hashes"] == [{"alg": "SHA-256", "content": digest}]
        minified = {path for path in archive.namelist() if ".min." in path}
    assert path.endswith(".dist-info/sboms/sbom.cdx.json")
    version = wheel.name.split("-")[1]
    assert bill["metadata"]["component"]["purl"] == f"pkg:pypi/chaojiyuyan-{name}@{version}"
    assert {part["name"] for part in brought} == minified, "every file of others is listed"


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_bill_of_materials_is_up_to_date(name: str) -> None:
    package = ROOT / "packages" / name
    expected = sbom.text_of(package)
    committed = (package / "sbom.cdx.json").read_text(encoding="utf-8")
    assert committed == expected, "run python scripts/sbom.py"
