"""Write projects from the templates in this package."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from ._errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.abc import Traversable
    from pathlib import Path

_SUFFIX = ".template"
"""The suffix of a template's name, so that no tool treats it as a file of this package."""


def write_project(kind: str, folder: Path) -> list[Path]:
    """Write the files of a template.

    Args:
        kind: The name of the template.
        folder: The folder for the files.

    Returns:
        The files that were written.

    Raises:
        UserError: The folder is not empty, or is a file.
        OSError: The folder cannot be written to.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file. Name a new folder.")
    if folder.is_dir() and any(folder.iterdir()):
        raise UserError(f"{folder} is not empty. Name a new folder, or empty this one.")
    written = []
    for name, template in _read_templates(resources.files(__package__) / "_templates" / kind):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(template, encoding="utf-8", newline="\n")
        written.append(path)
    return written


def _read_templates(folder: Traversable, below: str = "") -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each file, in the order of the names."""
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _read_templates(entry, f"{below}{entry.name}/")
        elif entry.name.endswith(_SUFFIX):
            yield below + entry.name.removesuffix(_SUFFIX), entry.read_text(encoding="utf-8")
