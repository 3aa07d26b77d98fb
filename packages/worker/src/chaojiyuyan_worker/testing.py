"""Handlers under test, with no network."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ._run.execution import Execution
from ._run.runtime import Runtime
from .task import TaskContext

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chaojiyuyan_core.models import JsonObject

    from .worker import Worker


def run(worker: Worker, capability_key: str, payload: Mapping[str, object]) -> JsonObject:
    """Run a worker's handler as a job would, and return its output as the platform would get it.

    Input and output go through JSON, as they do on the wire.

    Args:
        worker: The worker.
        capability_key: The handler's capability.
        payload: The job's input.

    Raises:
        LookupError: The worker has no handler for the capability.
        TypeError: The output is no dict, or holds something that JSON has no form for.
        ValueError: The input or the output holds NaN, an infinity or a cycle.
        Exception: Whatever the handler raises; it is not run again.
    """
    handler = worker.handlers.get(capability_key)
    if handler is None:
        raise LookupError(f"no handler for {capability_key!r}")
    task = TaskContext(
        {
            "job_id": "test-job",
            "capability_key": capability_key,
            "input_envelope": json.loads(json.dumps(payload, allow_nan=False)),
        },
        task_run_id="test-run",
    )
    execution = Execution(Runtime(), worker.executor)
    try:
        output = execution.run(handler, task)
    finally:
        execution.close()
    if not isinstance(output, dict):
        raise TypeError(f"the handler returned no dict but {type(output).__name__}")
    returned: JsonObject = json.loads(json.dumps(output, allow_nan=False))
    return returned
