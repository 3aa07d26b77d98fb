"""Explains a job's error code and what to try, with texts from the message catalog."""

from markupsafe import Markup

from chaojiyuyan_devserver.kernel.records import Job

from .language import Language

CAUSES = (
    "lease_lost",
    "output_invalid",
    "bid_window_expired",
    "timeout_waiting",
    "timeout_running",
    "cancelled",
    "triggered",
    "other",
)
"""The causes; their texts are ``cause.<name>.what``, ``cause.<name>.try.1`` and so on."""


def find_cause(job: Job) -> str:
    """Return the one of ``CAUSES`` for a job that ended without a result."""
    if job.error_code == "attempt_exhausted":
        losses = [e.payload["reason"] for e in job.events if e.event_type == "job.attempt_lost"]
        return "output_invalid" if losses[-1:] == ["validation_failed"] else "lease_lost"
    if job.error_code == "timeout":
        return "timeout_running" if job.attempts else "timeout_waiting"
    return job.error_code if job.error_code in CAUSES else "other"


def explain(job: Job, handlers: int, language: Language) -> tuple[Markup, list[Markup]] | None:
    """Return what a job's error means, and what to try, the most likely remedy first.

    Args:
        job: The job with its attempts and events; None is returned if it has no error.
        handlers: How many workers handle its capability now.
        language: The page's language.
    """
    if job.error_code is None:
        return None
    cause = find_cause(job)
    values = {
        "capability": job.capability_key,
        "attempts": len(job.attempts),
        "timeout": job.timeout_sec,
        "workers": language.count("catalog.workers", handlers),
    }
    tries = [key for key in language.messages if key.startswith(f"cause.{cause}.try.")]
    what = language(f"cause.{cause}.what", **values)
    return what, [language(key, **values) for key in tries]
