"""The flow that downloads an artifact to a file atomically."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import re
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

from chaojiyuyan_core.addresses import is_loopback
from chaojiyuyan_core.api import Fetch
from chaojiyuyan_core.errors import DownloadError
from chaojiyuyan_core.http import Flow, check_seconds, exchange
from chaojiyuyan_core.times import parse_http_date

from .job import DEFAULT_DOWNLOAD_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import BinaryIO

    from chaojiyuyan_core.http import Retry
    from chaojiyuyan_core.models import Artifact

MAX_REDIRECTS = 10

_REDIRECTS = frozenset({301, 302, 303, 307, 308})

_CONTENT_RANGE = re.compile(r"bytes (?P<first>\d{1,18})-\d{1,18}/(?:\d{1,18}|\*)", re.IGNORECASE)
_DATA = re.compile(r"data:[^,]*?(?P<base64>;base64)?,(?P<content>.*)", re.DOTALL | re.IGNORECASE)


def download(
    artifact: Artifact,
    to: str | os.PathLike[str],
    *,
    retry: Retry,
    base_url: str,
    overwrite: bool = False,
    max_bytes: int | None = None,
    timeout: float = DEFAULT_DOWNLOAD_TIMEOUT,
    on_progress: Callable[[int], object] | None = None,
) -> Flow[Path]:
    """Download an artifact to a file. After a failure, the file is unchanged.

    Args:
        artifact: An artifact of a job. Its address is an ``https:`` or ``data:`` URL. ``http:`` is
            accepted only when the platform and the artifact are both on this machine.
        to: The file to write. Its folder must exist.
        retry: The number and the delays of retries.
        base_url: The base URL of the platform.
        overwrite: Whether to replace an existing file.
        max_bytes: Maximum size in bytes; None for no limit except the declared size of the
            artifact.
        timeout: Maximum seconds for the whole download with its retries.
        on_progress: A function that is called with the number of downloaded bytes.

    Returns:
        The flow that returns the path of the file.

    Raises:
        DownloadError: The artifact has no usable address, or its size differs from the declared
            size.
        HebingAPIError: The host of the artifact responded with an error.
        FileExistsError: The file exists, and `overwrite` is false.
        OSError: The file cannot be written.
    """
    target = Path(to)
    address = str(artifact.get("artifact_uri") or "")
    local = is_loopback(urlsplit(base_url).hostname or "")
    announced = artifact.get("size_bytes")
    size = announced if isinstance(announced, int) else None
    check_seconds("timeout", timeout)
    if size is not None and max_bytes is not None and size > max_bytes:
        raise DownloadError(f"The artifact has {size} bytes: raise max_bytes from {max_bytes}")
    limit = max_bytes if size is None else size
    with _placing(target, overwrite=overwrite) as file:
        content = _Content(file, limit, on_progress)
        if address[:5].lower() == "data:":
            content.write(_data(address))
        else:
            yield from _fetch(address, content, retry, local=local, timeout=timeout)
        if size is not None and content.size != size:
            raise DownloadError(
                f"The artifact has {content.size} bytes instead of the declared {size}"
            )
    return target


class _Content:
    """The file during the download. It never exceeds the declared or the allowed size.

    After a failure, only the rest is requested when the host sent a strong ETag or a Last-Modified
    header (RFC 9110, 13.1.5). A response that is not this rest starts the download again.
    """

    def __init__(
        self, file: BinaryIO, limit: int | None, on_progress: Callable[[int], object] | None
    ) -> None:
        self._file = file
        self._limit = limit
        self._on_progress = on_progress
        self._state: str | None = None
        self._is_discarding = False
        self.size = 0

    def range_headers(self) -> dict[str, str]:
        if self._state is None or self.size == 0:
            return {}
        return {"range": f"bytes={self.size}-", "if-range": self._state}

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        self._is_discarding = status == 206 and not self._is_rest(headers)
        if self._is_discarding:
            return
        if status != 206:
            self.restart()
        self._state = _state_of(headers) or (self._state if status == 206 else None)

    def must_restart(self, status: int | None) -> bool:
        """Return whether the whole file must be requested, because this was not the right rest."""
        was_partial = self._is_discarding or (status == 416 and bool(self.range_headers()))
        if was_partial:
            self.restart()
        return was_partial

    def restart(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self.size = 0
        self._state = None
        self._is_discarding = False

    def write(self, chunk: bytes) -> None:
        if self._is_discarding:
            return
        self.size += len(chunk)
        if self._limit is not None and self.size > self._limit:
            # An endless response would fill the disk.
            raise DownloadError(
                f"The artifact has at least {self.size} bytes, but {self._limit} bytes are declared"
                " or allowed by max_bytes"
            )
        self._file.write(chunk)
        if self._on_progress is not None:
            self._on_progress(self.size)

    def _is_rest(self, headers: Mapping[str, str]) -> bool:
        found = _CONTENT_RANGE.fullmatch(headers.get("content-range", "").strip())
        if not self.range_headers() or found is None or int(found["first"]) != self.size:
            return False
        state = _state_of(headers)
        return state is None or state == self._state


def _state_of(headers: Mapping[str, str]) -> str | None:
    """Return the validator of a file for the `If-Range` header, or None (RFC 9110, 8.8)."""
    tag = headers.get("etag", "").strip()
    if tag:
        # A weak tag (W/"…") may not change with the content.
        return tag if tag.startswith('"') else None
    changed, sent = headers.get("last-modified"), headers.get("date")
    changed_at, sent_at = parse_http_date(changed), parse_http_date(sent)
    if changed_at is None or (sent_at is not None and (sent_at - changed_at).total_seconds() < 1):
        return None  # the file may have changed again within this second
    return changed


@contextlib.contextmanager
def _placing(target: Path, *, overwrite: bool) -> Iterator[BinaryIO]:
    """Yield a temporary file, which replaces the target at the end when there was no error.

    A worker may have chosen the name. Therefore an existing file is replaced only when the caller
    allows it, and a link or a device is never replaced.
    """
    _check_target(target, overwrite=overwrite)
    # A short name, because the target's own name may already have the maximum length.
    temporary = target.with_name(f".{os.urandom(8).hex()}.part")
    try:
        with temporary.open("xb") as file:
            yield file
        if not overwrite:
            _claim(target)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _check_target(target: Path, *, overwrite: bool) -> None:
    try:
        mode = target.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(f"{target} is a folder: name the file to write")
    if not stat.S_ISREG(mode):
        raise FileExistsError(f"{target} is a link, a pipe or a device: name a file to write")
    if not overwrite:
        raise _exists(target)


def _claim(target: Path) -> None:
    """Create the file, unless another program has created it during the download."""
    try:
        target.open("xb").close()
    except FileExistsError:
        raise _exists(target) from None


def _exists(target: Path) -> FileExistsError:
    return FileExistsError(f"{target} exists: name another file, or pass overwrite=True")


def _fetch(url: str, content: _Content, retry: Retry, *, local: bool, timeout: float) -> Flow[None]:
    import httpx

    deadline = time.monotonic() + timeout
    is_anew = False
    for _ in range(MAX_REDIRECTS):
        fetch = Fetch(_check_address(url, local), content)
        try:
            reply = yield from exchange(fetch, retry, left=lambda: deadline - time.monotonic())
        except httpx.InvalidURL:
            raise DownloadError(f"The artifact's address is not a URL: {url[:100]!r}") from None
        if content.must_restart(reply.status):
            if is_anew:
                raise DownloadError("The artifact's host sent a part that was not requested")
            is_anew = True
            continue
        if reply.status not in _REDIRECTS or "location" not in reply.headers:
            break
        try:
            url = urljoin(url, reply.headers["location"])
        except ValueError:
            raise DownloadError("The artifact was redirected to an invalid URL") from None
    else:
        raise DownloadError(f"The artifact was redirected more than {MAX_REDIRECTS} times")
    if not reply.is_success:
        raise reply.error()


def _check_address(url: str, local: bool) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    if host and parts.scheme == "https":
        return url
    if host and parts.scheme == "http" and local and is_loopback(host):
        return url
    raise DownloadError(f"The artifact's address is not an https: or data: URL: {url[:100]!r}")


def _data(url: str) -> bytes:
    """Return the content of a ``data:`` URL (RFC 2397)."""
    found = _DATA.fullmatch(url)
    if found is None:
        raise DownloadError("The artifact's data: URL has no content")
    content = unquote_to_bytes(found["content"])
    if not found["base64"]:
        return content
    try:
        return base64.b64decode(content, validate=True)
    except binascii.Error:
        raise DownloadError("The artifact's data: URL is not valid base64") from None
