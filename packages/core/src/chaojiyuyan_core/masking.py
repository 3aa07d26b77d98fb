"""The former place of :mod:`chaojiyuyan_core.redaction`, until its last user has moved."""

from __future__ import annotations

from .redaction import mask_key, mask_keys

__all__ = ["mask_key", "mask_keys"]
