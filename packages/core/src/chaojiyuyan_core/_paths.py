"""The paths of the API: an id is one segment of them, and what looks like one of them is known."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

_ENDPOINT = re.compile(
    r"(^|.*/)(kernel-jobs(/[^/]*(/(events|bid|heartbeat|submit))?)?|capability-specs"
    r"|oauth/device/(authorize|token)|kernel-agents/me/capabilities)/*",
    re.IGNORECASE | re.DOTALL,
)
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]+")


def is_endpoint(path: str) -> bool:
    """Tell whether a path, wherever the API hangs, is or may be read as an endpoint of this API.

    A server may decode a path again, or drop empty and dot segments: what only looks like an
    endpoint then counts as one.

    Args:
        path: The path of a URL, decoded or not.
    """
    for _ in range(3):
        path = unquote(path)
    segments: list[str] = []
    for part in path.replace("\\", "/").split("/"):
        name = part.split(";", 1)[0].strip()  # matrix parameters are no part of the name
        if name == "..":
            segments = segments[:-1]
        elif name not in ("", "."):
            segments.append(name)
    return _ENDPOINT.fullmatch("/".join(segments)) is not None


def quote_id(value: str) -> str:
    """Quote an id as one path segment.

    Args:
        value: The id, such as a job's.

    Raises:
        ValueError: It is empty, ``.`` or ``..``, which would reach another endpoint.
    """
    if not isinstance(value, str) or value in ("", ".", ".."):
        raise ValueError(f"not an id: {value!r}")
    return value if _UNRESERVED.fullmatch(value) else quote(value, safe="")
