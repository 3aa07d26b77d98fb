"""Prepare a job for a model: cut long parts, and add the small images."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from chaojiyuyan_core.offers import MAX_JOB_ID_CHARS

from ._excerpt import Excerpt
from ._images import read_images
from ._results import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chaojiyuyan_core.models import Artifact, JobData

    from ._platform import Platform

JOB_ID_PATTERN = r"^\.*[^/\s.][^/\s]*$"
"""One path segment without slashes or white space, but not "." or "..", which change the path.

The pattern has at most one way to match, so that a hostile id cannot take long. It uses no
look-ahead, because some clients do not support it.
"""

MAX_ARTIFACT_CHARS = 2_000
"""Maximum characters of one artifact, because a `data:` address may contain the whole file."""

READ_ON = (
    "Parts were left out to keep this result short. To read a part, call kernel_get_job with this"
    " job_id, the part's pointer, and its next_offset as offset."
)


def is_job_id(text: str) -> bool:
    """Return whether a text can be the id of a job.

    Args:
        text: Any text.
    """
    return len(text) <= MAX_JOB_ID_CHARS and re.match(JOB_ID_PATTERN, text) is not None


async def show_ended_job(job: JobData, platform: Platform) -> Answer:
    """Return the result of a tool or a task that has waited for a job.

    Args:
        job: A job that has ended.
        platform: Downloads the images.
    """
    images = await read_images(job.get("artifacts") or [], platform)
    return Answer(cut_job(job), images)


def cut_job(job: JobData) -> Mapping[str, object]:
    """Return a job, with long parts cut.

    Args:
        job: The job.
    """
    excerpt = Excerpt()
    artifacts = job.get("artifacts")
    if isinstance(artifacts, list):
        job = {**job, "artifacts": cut_artifacts(artifacts, excerpt)}
    return note_cuts(excerpt.of(job), excerpt)


def cut_artifacts(artifacts: list[Artifact], excerpt: Excerpt) -> list[Artifact]:
    """Return a job's artifacts without the content that a `data:` address may hold.

    Args:
        artifacts: The artifacts.
        excerpt: Records the cuts.
    """
    return excerpt.rows(artifacts, "/artifacts", MAX_ARTIFACT_CHARS)


def note_cuts(answer: Mapping[str, object], excerpt: Excerpt) -> Mapping[str, object]:
    """Add the list of cuts to a result, and a note on how to read the rest.

    Args:
        answer: The result.
        excerpt: The excerpt that has cut the result.
    """
    if not excerpt.cuts:
        return answer
    return {**answer, "truncated": {"note": READ_ON, "parts": excerpt.cuts}}
