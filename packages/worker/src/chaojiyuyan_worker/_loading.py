"""Import the worker by its name, for the command and for processes of a pool."""

from __future__ import annotations

import importlib
import sys

from .worker import Worker


def load_worker(place: str) -> Worker:
    """Import a worker and return it.

    Args:
        place: The module and the name of the worker, ``package.module:attribute``.

    Raises:
        ValueError: The attribute does not exist or is not a worker.
    """
    module_name, _, attribute = place.partition(":")
    if not module_name or not attribute:
        raise ValueError(f"expected module:worker, such as my_package.jobs:worker, not {place!r}")
    if "" not in sys.path:
        sys.path.insert(0, "")
    module = importlib.import_module(module_name)
    found: object = module
    for name in attribute.split("."):
        found = getattr(found, name, None)
    if not isinstance(found, Worker):
        workers = [name for name, value in vars(module).items() if isinstance(value, Worker)]
        there = " or ".join(f"{module_name}:{name}" for name in workers) or "no Worker"
        kind = "missing" if found is None else f"of the type {type(found).__name__}"
        raise ValueError(f"expected a Worker, but {place} is {kind}; {module_name} has {there}")
    return found
