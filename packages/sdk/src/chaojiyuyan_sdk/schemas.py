"""The module path of 0.4.0; the names are in :mod:`chaojiyuyan_core.models`."""

from chaojiyuyan_core.models import (
    TERMINAL_JOB_STATUSES,
    Artifact,
    BidResult,
    SubmitResult,
    TaskInfo,
)

__all__ = ["TERMINAL_JOB_STATUSES", "Artifact", "BidResult", "SubmitResult", "TaskInfo"]
