"""The uploads of a release, one by one, to a local index.

After each upload, everything on the index can be installed, so a release may stop at any point.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from support.environments import ROOT
from support.index import Index

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def index(tmp_path: Path, uv: Path) -> Iterator[Index]:
    made = Index(tmp_path, uv)
    yield made
    made.close()


def uploads() -> list[str]:
    """Return the distributions in an order in which the release's jobs may run."""
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    jobs = yaml.safe_load(text)["jobs"]
    left = {name: set(job["needs"]) for name, job in jobs.items() if name.startswith("upload-")}
    order: list[str] = []
    while left:
        ready = min(name for name, needs in left.items() if not needs & set(left))
        order.append(ready.removeprefix("upload-"))
        del left[ready]
    return order


def files_of(wheels: Path, name: str) -> list[Path]:
    return sorted(wheels.glob(f"chaojiyuyan_{name}-*"))


def version_of(wheels: Path, name: str) -> str:
    (wheel,) = wheels.glob(f"chaojiyuyan_{name}-*.whl")
    return wheel.name.split("-")[1]


def test_the_index_is_complete_after_each_upload(
    index: Index, wheels: Path, interpreter_3_10: Path
) -> None:
    for name in uploads():
        before = index.resolve("chaojiyuyan-sdk", interpreter_3_10)
        assert before["chaojiyuyan-sdk"] == "0.4.0", "whoever upgrades gets the old one, whole"
        index.upload(*files_of(wheels, name))
        version = version_of(wheels, name)
        found = index.resolve(f"chaojiyuyan-{name}=={version}", interpreter_3_10)
        for sibling in (key for key in found if key.startswith("chaojiyuyan-")):
            assert found[sibling] == version_of(wheels, sibling.removeprefix("chaojiyuyan-"))
    after = index.resolve("chaojiyuyan-sdk", interpreter_3_10)
    assert after["chaojiyuyan-sdk"] == version_of(wheels, "sdk")


def test_an_interrupted_upload_can_be_repeated(index: Index, wheels: Path) -> None:
    order = uploads()
    broken = order[len(order) // 2]
    for name in order[: order.index(broken)]:
        index.upload(*files_of(wheels, name))
    index.upload(files_of(wheels, broken)[0])  # and then the job was aborted
    for name in order:
        index.upload(*files_of(wheels, name))
    expected = [file for name in order for file in files_of(wheels, name)]
    assert {path.name for path in index.folder.iterdir()} == {file.name for file in expected}
    for file in expected:
        assert (index.folder / file.name).read_bytes() == file.read_bytes()


def test_a_file_on_the_index_is_never_replaced(index: Index, wheels: Path, tmp_path: Path) -> None:
    (wheel,) = wheels.glob("chaojiyuyan_core-*.whl")
    index.upload(wheel)
    other = tmp_path / "other" / wheel.name
    other.parent.mkdir()
    other.write_bytes(wheel.read_bytes() + b"\0")
    refused = index.upload(other, check=False)
    assert refused.returncode != 0
    assert "do not match" in refused.stderr
    assert (index.folder / wheel.name).read_bytes() == wheel.read_bytes()
