"""Warnings that name the line of the program that called the SDK."""

from __future__ import annotations

import sys
import warnings

_PREFIX = "chaojiyuyan_"  # of the import packages of the SDK


def warn_caller(message: str) -> None:
    """Issue a warning for the innermost line outside the SDK.

    Args:
        message: The problem, and what to do.
    """
    level = 2
    frame = sys._getframe(1)
    while frame.f_globals.get("__name__", "").startswith(_PREFIX) and frame.f_back is not None:
        frame = frame.f_back
        level += 1
    warnings.warn(message, stacklevel=level)
