"""Deliver webhooks of real jobs to this machine: find the ended jobs, and post their events."""

EVENTS = ("job.succeeded", "job.failed", "job.cancelled", "job.expired")
"""The types of events, one for each final status of a job."""


class RemoteAddressError(ValueError):
    """The address that receives the events belongs to another machine."""
