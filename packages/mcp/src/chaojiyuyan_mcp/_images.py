"""Download the small images of a job, so that the model can see them."""

from __future__ import annotations

import asyncio
import base64
import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mcp.types import ImageContent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from chaojiyuyan_core.models import Artifact

    from ._platform import Platform

log = logging.getLogger(__name__)

MAX_IMAGE_BYTES = 256 * 1024
"""Maximum size in bytes of an image that is downloaded."""

MAX_IMAGES = 4
"""Maximum number of images in one result."""

IMAGES_TIMEOUT = 5.0
"""Maximum seconds for all images of a result together."""

_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
"""The first bytes of the image types that models accept; :func:`image_type` also knows WebP."""


async def read_images(artifacts: Sequence[Artifact], platform: Platform) -> list[ImageContent]:
    """Download the images among artifacts. An image that cannot be downloaded is left out.

    Args:
        artifacts: The artifacts of a job.
        platform: Sends the requests. The agent key is sent only to the platform's own origin.
    """
    wanted = [each for each in artifacts if _is_small_image(each)][:MAX_IMAGES]
    if not wanted:
        return []
    tasks = [asyncio.create_task(_read(each, platform)) for each in wanted]
    try:
        await asyncio.wait(tasks, timeout=IMAGES_TIMEOUT)
        return _collect(tasks)
    finally:
        for task in tasks:
            task.cancel()


def _collect(tasks: Iterable[asyncio.Task[bytes]]) -> list[ImageContent]:
    images = []
    for task in tasks:
        fault = task.exception() if task.done() else asyncio.TimeoutError()
        if fault is not None:
            log.info("an image was left out: %s", str(fault) or type(fault).__name__)
            continue
        content = task.result()
        mime_type = image_type(content)
        if mime_type is not None and len(content) <= MAX_IMAGE_BYTES:
            data = base64.b64encode(content).decode()
            images.append(ImageContent(type="image", data=data, mime_type=mime_type))
    return images


async def _read(artifact: Artifact, platform: Platform) -> bytes:
    from chaojiyuyan_client.download import download

    with tempfile.TemporaryDirectory(prefix="chaojiyuyan-") as folder:
        flow = download(
            artifact,
            Path(folder) / "image",
            retry=platform.retry,
            base_url=platform.settings.base_url,
            max_bytes=MAX_IMAGE_BYTES,
        )
        return (await platform.run(flow)).read_bytes()


def image_type(content: bytes) -> str | None:
    """Return the type of an image from its first bytes, or None for other content.

    The declared type of an artifact is not trusted, because the worker can declare any type.

    Args:
        content: The content of the file.
    """
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    found = (kind for start, kind in _SIGNATURES.items() if content.startswith(start))
    return next(found, None)


def _is_small_image(artifact: object) -> bool:
    """Return whether an artifact is declared as an image and as small enough."""
    if not isinstance(artifact, dict):
        return False
    mime_type = str(artifact.get("mime_type") or artifact.get("mime") or "")
    size = artifact.get("size_bytes")
    return (artifact.get("kind") == "image" or mime_type.startswith("image/")) and (
        not isinstance(size, int) or size <= MAX_IMAGE_BYTES
    )
