"""The flow that brings an artifact into a file, in one step."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urlsplit

from chaojiyuyan_core.addresses import is_loopback
from chaojiyuyan_core.answers import error_of
from chaojiyuyan_core.api import Fetch
from chaojiyuyan_core.errors import DownloadError
from chaojiyuyan_core.flow import Flow, exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from chaojiyuyan_core.models import Artifact
    from chaojiyuyan_core.retry import Retry

MOST_REDIRECTS = 10

_DATA = re.compile(r"data:[^,]*?(?P<base64>;base64)?,(?P<content>.*)", re.DOTALL | re.IGNORECASE)


def download(
    artifact: Artifact,
    to: str | os.PathLike[str],
    *,
    retry: Retry,
    base_url: str,
    on_progress: Callable[[int], object] | None = None,
) -> Flow[Path]:
    """Bring an artifact into a file: all of it, or the file stays as it was.

    :param artifact: as a job lists it. Its address is an ``https:`` or ``data:`` URL; ``http:`` is
        taken only where platform and artifact are both on this machine.
    :param to: the file to write; its folder must be there.
    :param retry: what to do after a fault; each attempt begins anew.
    :param base_url: the platform's.
    :param on_progress: called with the bytes that are there, whenever there are more.
    :returns: the file's path.
    :raises DownloadError: the artifact has no usable address, or not the size that it says.
    :raises HebingAPIError: its host answered with an error.
    :raises OSError: the file cannot be written.
    """
    target = Path(to)
    address = str(artifact.get("artifact_uri") or "")
    local = is_loopback(urlsplit(base_url).hostname or "")
    announced = artifact.get("size_bytes")
    size = announced if isinstance(announced, int) else None
    with _replacing(target, size, on_progress) as content:
        if address[:5].lower() == "data:":
            content.write(_data(address))
        else:
            yield from _fetch(address, content, retry, local)
        if size is not None and content.size != size:
            raise DownloadError(f"The artifact has {content.size} bytes, {size} were announced")
    return target


class _Content:
    """The file while it is written; never longer than what was announced."""

    def __init__(
        self, file: BinaryIO, most: int | None, on_progress: Callable[[int], object] | None
    ) -> None:
        self._file = file
        self._most = most
        self._on_progress = on_progress
        self.size = 0

    def restart(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self.size = 0

    def write(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self._most is not None and self.size > self._most:
            # What goes on without end would fill the disk.
            raise DownloadError(
                f"The artifact has {self.size} bytes or more, {self._most} were announced"
            )
        self._file.write(chunk)
        if self._on_progress is not None:
            self._on_progress(self.size)


@contextlib.contextmanager
def _replacing(
    target: Path, size: int | None, on_progress: Callable[[int], object] | None
) -> Iterator[_Content]:
    """A file beside the target that takes its place at the end, if there is no fault."""
    if target.is_dir():
        raise IsADirectoryError(f"{target} is a folder: name the file to write")
    temporary = target.with_name(f".{target.name}.{os.urandom(6).hex()}.part")
    try:
        with temporary.open("xb") as file:
            yield _Content(file, size, on_progress)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _fetch(url: str, content: _Content, retry: Retry, local: bool) -> Flow[None]:
    import httpx

    for _ in range(MOST_REDIRECTS):
        try:
            answer = yield from exchange(Fetch(_checked(url, local), content), retry)
        except httpx.InvalidURL:
            raise DownloadError(f"The artifact's address is no URL: {url[:100]!r}") from None
        if answer.next_request is None:
            break
        url = str(answer.next_request.url)
    else:
        raise DownloadError(f"The artifact was redirected more than {MOST_REDIRECTS} times")
    if not answer.is_success:
        raise error_of(answer)


def _checked(url: str, local: bool) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    if host and parts.scheme == "https":
        return url
    if host and parts.scheme == "http" and local and is_loopback(host):
        return url
    raise DownloadError(f"The artifact's address is no https: or data: URL: {url[:100]!r}")


def _data(url: str) -> bytes:
    """The content of a ``data:`` URL (RFC 2397)."""
    found = _DATA.fullmatch(url)
    if found is None:
        raise DownloadError("The artifact's data: URL has no content")
    content = unquote_to_bytes(found["content"])
    if not found["base64"]:
        return content
    try:
        return base64.b64decode(content, validate=True)
    except binascii.Error:
        raise DownloadError("The artifact's data: URL is no base64") from None
