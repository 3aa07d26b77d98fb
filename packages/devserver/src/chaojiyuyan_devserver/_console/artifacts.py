"""Show a job's artifacts on its page without running any of their content.

An artifact that contains its content (a ``data:`` URI) is served at its own address, as one of a
few types that a browser only displays, in a sandbox. Other artifacts are shown as links; nothing
is loaded from another server.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/svg+xml")
SOUNDS = ("audio/mpeg", "audio/ogg", "audio/wav", "audio/webm", "audio/mp4")
VIDEOS = ("video/mp4", "video/webm", "video/ogg")
MAX_TEXT = 4000
"""How many characters of a text artifact a page shows."""

SANDBOX = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
"""The content security policy of an artifact: an SVG opened by itself runs no script."""


@dataclass(frozen=True)
class Artifact:
    """An artifact as the page shows it. Kind, media type, size and meta come from the worker."""

    kind: str
    mime: str
    size: int | None  # bytes
    shown_as: str  # "image", "audio", "video", "text", "link", or empty
    uri: str  # empty if it is too long to be shown
    text: str  # the beginning of a text artifact
    meta: Any


def describe(artifact: dict[str, Any]) -> Artifact:
    """Return what the page shows of an artifact; any value from the worker is accepted."""
    uri = str(artifact.get("artifact_uri") or "")
    size = artifact.get("size_bytes")
    shown_as, text = "", ""
    if uri.startswith("data:"):
        shown_as, text = _preview(uri)
    elif uri.startswith(("http://", "https://")):
        shown_as = "link"
    return Artifact(
        kind=str(artifact.get("kind") or ""),
        mime=str(artifact.get("mime_type") or artifact.get("mime") or ""),
        size=size if isinstance(size, int) else None,
        shown_as=shown_as,
        uri=uri[:300] if shown_as in ("", "link") else "",
        text=text,
        meta=artifact.get("meta"),
    )


def content(artifact: dict[str, Any]) -> tuple[str, bytes] | None:
    """Return the media type and bytes in an artifact's ``data:`` URI, if they may be shown."""
    found = _decode(str(artifact.get("artifact_uri") or ""))
    return found if found is not None and found[0] in (*IMAGES, *SOUNDS, *VIDEOS) else None


def _preview(uri: str) -> tuple[str, str]:
    found = _decode(uri)
    if found is None:
        return "", ""
    media_type, data = found
    for name, types in (("image", IMAGES), ("audio", SOUNDS), ("video", VIDEOS)):
        if media_type in types:
            return name, ""
    if media_type.startswith("text/") or media_type == "application/json":
        return "text", data[: 4 * MAX_TEXT].decode("utf-8", "replace")[:MAX_TEXT]
    return "", ""


def _decode(uri: str) -> tuple[str, bytes] | None:
    """Read a ``data:`` URI (RFC 2397)."""
    head, comma, body = uri.removeprefix("data:").partition(",")
    if not uri.startswith("data:") or not comma:
        return None
    media_type, *parameters = (part.strip().lower() for part in head.split(";"))
    data = unquote_to_bytes(body)
    if "base64" in parameters:
        try:
            data = base64.b64decode(data, validate=True)
        except binascii.Error:
            return None
    return media_type or "text/plain", data
