"""A job as it is shown to a model: cut where it is long, and with its small images."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ._excerpt import Excerpt
from ._images import read_images
from ._results import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chaojiyuyan_core.models import Artifact, JobData

    from ._platform import Platform

MAX_JOB_ID_CHARS = 200

JOB_ID_PATTERN = r"^\.*[^/\s.][^/\s]*$"
"""One path segment: no slash or blank, and not the "." and ".." that lead elsewhere.

It has at most one way to match, so that a hostile id cannot take long; and no look-ahead, which
some clients do not know.
"""

MAX_ARTIFACT_CHARS = 2_000
"""Characters of one artifact; its address may hold the whole file."""

READ_ON = (
    "Left off to keep this answer short. To read on, call kernel_get_job with this job_id, a"
    " part's pointer, and its next_offset as offset."
)


def is_job_id(text: str) -> bool:
    """Tell whether a text can be a job's id.

    Args:
        text: Any text.
    """
    return len(text) <= MAX_JOB_ID_CHARS and re.match(JOB_ID_PATTERN, text) is not None


async def show_ended_job(job: JobData, platform: Platform) -> Answer:
    """Return what every tool answers that has waited for a job, and every task of it.

    Args:
        job: A job that has ended.
        platform: Brings its images.
    """
    images = await read_images(job.get("artifacts") or [], platform)
    return Answer(cut_job(job), images)


def cut_job(job: JobData) -> Mapping[str, object]:
    """Return as much of a job as a model can take in.

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
        excerpt: Notes what was left off.
    """
    return excerpt.rows(artifacts, "/artifacts", MAX_ARTIFACT_CHARS)


def note_cuts(answer: Mapping[str, object], excerpt: Excerpt) -> Mapping[str, object]:
    """Add to an answer what was left off of it, and how to read on.

    Args:
        answer: The answer.
        excerpt: What has cut it.
    """
    if not excerpt.cuts:
        return answer
    return {**answer, "truncated": {"note": READ_ON, "parts": excerpt.cuts}}
