"""How the kernel says no."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """A request that the kernel turns down; the API sends it as ``{"detail": {...}}``.

    Args:
        status: HTTP status of the answer.
        code: stable machine code, e.g. ``unknown_capability``.
        error: what is wrong, for a human.
        **extra: further fields of the answer's ``detail``.
    """

    def __init__(self, status: int, code: str, error: str, **extra: Any) -> None:
        super().__init__(error)
        self.status = status
        self.code = code
        self.error = error
        self.extra = extra

    def detail(self) -> dict[str, Any]:
        """The answer's ``detail`` object."""
        return {"error": self.error, "code": self.code, **self.extra}
