"""The exception with which the kernel refuses a request."""

from typing import Any


class Refusal(Exception):
    """The kernel refuses a request; the API sends it as ``{"detail": {...}}``.

    Args:
        status: The HTTP status.
        code: The stable error code, for example ``unknown_capability``.
        error: What is wrong, for a human.
        **extra: Further fields of ``detail``.
    """

    def __init__(self, status: int, code: str, error: str, **extra: Any) -> None:
        super().__init__(error)
        self.status = status
        self.code = code
        self.error = error
        self.extra = extra

    def detail(self) -> dict[str, Any]:
        """Return the ``detail`` object."""
        return {"error": self.error, "code": self.code, **self.extra}
