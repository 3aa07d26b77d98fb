"""The body of an answer, decoded part by part and never longer than it may be."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from chaojiyuyan_core.errors import DownloadError, ResponseFormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chaojiyuyan_core.api import Fetch, Sink

_CHUNK = 1 << 18  # bytes that are inflated at once
_AUTO_HEADER = 32 + zlib.MAX_WBITS  # zlib finds out whether it is gzip or zlib (RFC 1950, 1952)


class Body:
    """Collects a body in memory.

    Args:
        status: The answer's status, for the error.
        headers: The answer's headers.
        max_bytes: The most bytes, decoded.

    Raises:
        ResponseFormatError: It announces more bytes, or an encoding that was not asked for.
    """

    def __init__(self, status: int, headers: Mapping[str, str], max_bytes: int) -> None:
        self._status = status
        self._left = self._max_bytes = max_bytes
        self._parts: list[bytes] = []
        encoding = _encoding(headers)
        if encoding not in ("identity", "gzip", "x-gzip", "deflate"):
            raise self._error(f"the answer has an encoding not asked for: {encoding[:50]!r}")
        self._inflating = encoding != "identity"
        self._inflater: zlib._Decompress | None = None
        length = headers.get("content-length", "")
        if length.isdecimal() and len(length) < 20 and int(length) > max_bytes:
            raise self._too_long()

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes from the wire.

        Args:
            chunk: The bytes as they came.

        Raises:
            ResponseFormatError: There are too many bytes, or they are not in their encoding.
        """
        if not self._inflating:
            self._take(chunk)
            return
        try:
            self._inflate(chunk)
        except zlib.error as error:
            raise self._error(f"the answer cannot be decoded: {error}") from None

    def finish(self) -> bytes:
        """Return the whole body."""
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    def _inflate(self, chunk: bytes) -> None:
        if self._inflater is None and chunk:
            # Some servers send "deflate" without the zlib header.
            raw = chunk[0] & 0x0F != 8 and chunk[:1] != b"\x1f"
            self._inflater = zlib.decompressobj(-zlib.MAX_WBITS if raw else _AUTO_HEADER)
        inflater = self._inflater
        while chunk and inflater is not None and not inflater.eof:
            self._take(inflater.decompress(chunk, _CHUNK))
            chunk = inflater.unconsumed_tail

    def _take(self, part: bytes) -> None:
        self._left -= len(part)
        if self._left < 0:
            raise self._too_long()
        if part:
            self._parts.append(part)

    def _too_long(self) -> ResponseFormatError:
        return self._error(
            f"the answer is longer than {self._max_bytes} bytes; max_response_bytes allows more"
        )

    def _error(self, text: str) -> ResponseFormatError:
        self._parts.clear()
        return ResponseFormatError(self._status, text)


class SinkBody:
    """Passes a body on to the sink of a fetch, as it came from the wire.

    Args:
        status: The answer's status.
        headers: The answer's headers.
        sink: Takes the content.

    Raises:
        DownloadError: The answer is encoded, so that its size is not the file's.
    """

    def __init__(self, status: int, headers: Mapping[str, str], sink: Sink) -> None:
        encoding = _encoding(headers)
        if encoding != "identity":
            raise DownloadError(
                f"The artifact's host sent it encoded as {encoding[:50]!r}, which was not asked for"
            )
        sink.begin(status, headers)
        self._sink = sink

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes.

        Args:
            chunk: The bytes as they came.
        """
        self._sink.write(chunk)

    def finish(self) -> bytes:
        """Return nothing: the content is in the sink."""
        return b""


def open_body(
    status: int, headers: Mapping[str, str], *, max_bytes: int, fetch: Fetch | None
) -> Body | SinkBody:
    """Return what takes an answer's body.

    Args:
        status: The answer's status.
        headers: The answer's headers.
        max_bytes: The most bytes that are kept in memory.
        fetch: The fetch that is answered, if it is one.
    """
    if fetch is not None and 200 <= status < 300:
        return SinkBody(status, headers, fetch.sink)
    return Body(status, headers, max_bytes)


def _encoding(headers: Mapping[str, str]) -> str:
    return headers.get("content-encoding", "").strip().lower() or "identity"
