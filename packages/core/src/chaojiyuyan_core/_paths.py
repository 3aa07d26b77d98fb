"""Quote ids in the paths of the API, and recognise these paths."""

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
    """Return whether a server may treat a path as an endpoint of the API, under any base path.

    A server may decode a path again, or remove empty and dot segments. Such variants of an endpoint
    count as endpoints too.

    Args:
        path: The path of a URL, decoded or not.
    """
    for _ in range(3):
        path = unquote(path)
    segments: list[str] = []
    for part in path.replace("\\", "/").split("/"):
        name = part.split(";", 1)[0].strip()  # without matrix parameters
        if name == "..":
            segments = segments[:-1]
        elif name not in ("", "."):
            segments.append(name)
    return _ENDPOINT.fullmatch("/".join(segments)) is not None


def quote_id(value: str) -> str:
    """Quote an id as one path segment.

    Args:
        value: The id, for example of a job.

    Raises:
        ValueError: The id is empty, ``.`` or ``..``, which would change the endpoint.
    """
    if not isinstance(value, str) or value in ("", ".", ".."):
        raise ValueError(f"not an id: {value!r}")
    return value if _UNRESERVED.fullmatch(value) else quote(value, safe="")
