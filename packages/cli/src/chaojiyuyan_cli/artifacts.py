"""Brings a job's artifacts into a folder."""

from __future__ import annotations

import mimetypes
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from .output import escaped
from .spinner import Spinner, duration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from chaojiyuyan_client import Job, NexusClient
    from chaojiyuyan_core.models import Artifact

_UNFIT = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"/\\|?*\ud800-\udfff]')
_LONGEST_NAME = 120


def save_artifacts(client: NexusClient, job: Job, folder: Path) -> Iterator[Path]:
    """Download every artifact of a job, and yield the file of each when it is whole.

    Args:
        client: What downloads.
        job: A job that has ended.
        folder: Where the files go; it is made where it is absent.

    Raises:
        DownloadError: An artifact cannot be had, or is not of the size that it should be.
        httpx.HTTPError: Its host cannot be reached.
        OSError: A file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names: set[str] = set()
    for number, artifact in enumerate(job.artifacts, 1):
        name = file_name(artifact, number)
        if name.casefold() in names:
            name = f"{number}-{name}"
        names.add(name.casefold())
        position = f"{number} of {len(job.artifacts)}"

        def describe(elapsed: float, name: str = name, position: str = position) -> str:
            return f"{escaped(name)}  {position}  {duration(elapsed)}"

        with Spinner(describe):
            path = client.download(artifact, folder / name)
        yield path


def file_name(artifact: Artifact, number: int) -> str:
    """Return a name for an artifact's file that cannot lead out of its folder.

    Args:
        artifact: As the API describes it; its ``meta`` may name a file.
        number: The artifact's place among the job's, for one without an id.
    """
    meta = artifact.get("meta") or {}
    named = meta.get("filename") or meta.get("name")
    text = PurePosixPath(str(named).replace("\\", "/")).name if named else ""
    if not text.strip(". "):
        mime = artifact.get("mime_type") or artifact.get("mime") or ""
        suffix = mimetypes.guess_extension(mime.partition(";")[0].strip()) or ""
        text = f"{artifact.get('id') or f'artifact-{number}'}{suffix}"
    fit = _UNFIT.sub("_", text).strip(". ") or f"artifact-{number}"
    if len(fit) <= _LONGEST_NAME:
        return fit
    stem, dot, suffix = fit.rpartition(".")
    return f"{(stem or suffix)[:_LONGEST_NAME]}{dot}{suffix[:16] if dot else ''}"
