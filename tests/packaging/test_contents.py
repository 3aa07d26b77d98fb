"""What the built files say of themselves, and what is in them."""

from __future__ import annotations

import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(path.name for path in (ROOT / "packages").iterdir())
MIT = (ROOT / "LICENSE").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_wheel_is_whole(wheels: Path, name: str) -> None:
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
    # The devserver brings htmx along.
    assert described["License-Expression"] == ("MIT AND 0BSD" if name == "devserver" else "MIT")
    assert described["Requires-Python"] == ">=3.10"
    readme = (ROOT / "packages" / name / "README.md").read_text(encoding="utf-8")
    assert described.get_payload().strip() == readme.strip()


@pytest.mark.parametrize("name", NAMES)
def test_an_sdist_brings_its_changelog_and_licence(wheels: Path, name: str) -> None:
    (sdist,) = wheels.glob(f"chaojiyuyan_{name}-*.tar.gz")
    with tarfile.open(sdist) as archive:
        inside = {path.partition("/")[2] for path in archive.getnames()}
    assert {"CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml"} <= inside
