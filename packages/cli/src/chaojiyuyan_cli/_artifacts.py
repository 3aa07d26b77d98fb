"""Download a job's artifacts into a folder."""

from __future__ import annotations

import mimetypes
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from chaojiyuyan_core.text import strip_invisible

from ._errors import UserError
from ._output import cut, escape
from ._spinner import Spinner, describe_duration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from chaojiyuyan_client import Job, NexusClient
    from chaojiyuyan_core.models import Artifact

_UNFIT = re.compile(r'[\x00-\x1f\x7f-\x9f\u2028\u2029<>:"/\\|?*\ud800-\udfff]')
_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)\s*(\.|$)", re.IGNORECASE)  # on Windows
_MAX_NAME = 120  # bytes, without the suffix
_SHOWN_NAME = 24  # columns, so that the bar has room beside it
_BAR = 30  # columns


def save_artifacts(
    client: NexusClient, job: Job, folder: Path, *, overwrite: bool
) -> Iterator[Path]:
    """Download every artifact of a job, and yield the path of each complete file.

    Args:
        client: Downloads the artifacts.
        job: A job that has ended.
        folder: The folder for the files. It is created when it does not exist.
        overwrite: Whether to replace existing files.

    Raises:
        DownloadError: An artifact cannot be fetched, or its size differs from its description.
        UserError: A file exists already, and `overwrite` is false.
        httpx.HTTPError: The host of an artifact cannot be reached.
        OSError: A file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names: set[str] = set()
    for number, artifact in enumerate(job.artifacts, 1):
        name = file_name(artifact, number)
        while name.casefold() in names:
            name = f"{number}-{name}"
        names.add(name.casefold())
        progress = _Progress(name, artifact.get("size_bytes"))
        with Spinner(progress.describe):
            try:
                path = client.download(
                    artifact, folder / name, overwrite=overwrite, on_progress=progress.update
                )
            except FileExistsError as error:
                exists = f"{folder / name} exists. Use --clobber to replace it."
                raise UserError(exists if not overwrite else str(error)) from None
        yield path


class _Progress:
    """The progress of a download, as one line."""

    def __init__(self, name: str, size: object) -> None:
        self._name = cut(escape(name), _SHOWN_NAME)
        self._size = size if isinstance(size, int) and size > 0 else None
        self._done = 0

    def update(self, done: int) -> None:
        self._done = done

    def describe(self, elapsed: float) -> str:
        amount = f"{self._done / 1e6:.1f} MB  {describe_duration(elapsed)}"
        if self._size is None:
            return f"{self._name}  {amount}"
        share = min(self._done / self._size, 1.0)
        bar = "#" * round(share * _BAR)
        return f"{self._name}  [{bar:-<{_BAR}}] {share:4.0%}  {amount}"


def file_name(artifact: Artifact, number: int) -> str:
    """Return a name for an artifact's file that cannot lead out of its folder.

    Args:
        artifact: The API's description of the artifact. Its ``meta`` may contain a file name.
        number: The position of the artifact in the job, counted from 1. It names an artifact
            without an id.
    """
    meta = artifact.get("meta")
    named = (meta.get("filename") or meta.get("name")) if isinstance(meta, dict) else None
    text = PurePosixPath(str(named).replace("\\", "/")).name if named else ""
    if not text.strip(". "):
        mime = artifact.get("mime_type") or artifact.get("mime") or ""
        suffix = mimetypes.guess_extension(str(mime).partition(";")[0].strip()) or ""
        text = f"{artifact.get('id') or f'artifact-{number}'}{suffix}"
    # Invisible characters can make a program's name look like a picture's.
    fit = _UNFIT.sub("_", strip_invisible(text)).strip(". ") or f"artifact-{number}"
    if _DEVICE.match(fit):
        fit = f"_{fit}"
    if len(fit.encode()) <= _MAX_NAME:
        return fit
    stem, dot, suffix = fit.rpartition(".")
    return _cut_bytes(stem or suffix, _MAX_NAME) + dot + (_cut_bytes(suffix, 16) if dot else "")


def _cut_bytes(text: str, size: int) -> str:
    """Cut a text to a number of bytes, because file systems limit names by bytes."""
    return text.encode()[:size].decode(errors="ignore")
