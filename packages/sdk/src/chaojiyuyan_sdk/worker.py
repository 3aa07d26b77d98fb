"""The module path of 0.4.0; the names live in :mod:`chaojiyuyan_worker`."""

from chaojiyuyan_worker import NexusWorker, TaskContext, Worker

__all__ = ["NexusWorker", "TaskContext", "Worker"]
