"""Webhooks of real jobs on this machine: which jobs end, and the delivery of their events."""

EVENTS = ("job.succeeded", "job.failed", "job.cancelled", "job.expired")
"""The events of jobs that have ended."""
