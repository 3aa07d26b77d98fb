"""Decode the body of a response in parts, up to a maximum size."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from chaojiyuyan_core.errors import DownloadError, ResponseFormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chaojiyuyan_core.api import Fetch, Sink

_CHUNK = 1 << 18  # maximum bytes that are inflated at once
_AUTO_HEADER = 32 + zlib.MAX_WBITS  # zlib detects the header, gzip or zlib (RFC 1950, 1952)


class Body:
    """Collects a body in memory.

    Args:
        status: The HTTP status, for the error.
        headers: The headers of the response.
        max_bytes: Maximum size in bytes after decoding.

    Raises:
        ResponseFormatError: The headers declare more bytes or an unsupported encoding.
    """

    def __init__(self, status: int, headers: Mapping[str, str], max_bytes: int) -> None:
        self._status = status
        self._left = self._max_bytes = max_bytes
        self._parts: list[bytes] = []
        encoding = _encoding(headers)
        if encoding not in ("identity", "gzip", "x-gzip", "deflate"):
            raise self._error(f"the response has an unsupported encoding: {encoding[:50]!r}")
        self._inflating = encoding != "identity"
        self._inflater: zlib._Decompress | None = None
        length = headers.get("content-length", "")
        if length.isdecimal() and len(length) < 20 and int(length) > max_bytes:
            raise self._too_long()

    def feed(self, chunk: bytes) -> None:
        """Process the next received bytes.

        Args:
            chunk: The received bytes.

        Raises:
            ResponseFormatError: There are too many bytes, or they cannot be decoded.
        """
        if not self._inflating:
            self._take(chunk)
            return
        try:
            self._inflate(chunk)
        except zlib.error as error:
            raise self._error(f"the response cannot be decoded: {error}") from None

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
            f"the response is longer than {self._max_bytes} bytes; raise max_response_bytes"
        )

    def _error(self, text: str) -> ResponseFormatError:
        self._parts.clear()
        return ResponseFormatError(self._status, text)


class SinkBody:
    """Passes the received bytes on to the sink of a fetch.

    Args:
        status: The HTTP status.
        headers: The headers of the response.
        sink: Receives the content.

    Raises:
        DownloadError: The content is encoded, so its size is not the size of the file.
    """

    def __init__(self, status: int, headers: Mapping[str, str], sink: Sink) -> None:
        encoding = _encoding(headers)
        if encoding != "identity":
            raise DownloadError(
                f"The artifact's host sent it with the unrequested encoding {encoding[:50]!r}"
            )
        sink.begin(status, headers)
        self._sink = sink

    def feed(self, chunk: bytes) -> None:
        """Pass on the next received bytes.

        Args:
            chunk: The received bytes.
        """
        self._sink.write(chunk)

    def finish(self) -> bytes:
        """Return an empty body, because the content is in the sink."""
        return b""


def open_body(
    status: int, headers: Mapping[str, str], *, max_bytes: int, fetch: Fetch | None
) -> Body | SinkBody:
    """Return the object that receives the body of a response.

    Args:
        status: The HTTP status.
        headers: The headers of the response.
        max_bytes: Maximum size in memory in bytes.
        fetch: The fetch that the response belongs to, or None.
    """
    if fetch is not None and 200 <= status < 300:
        return SinkBody(status, headers, fetch.sink)
    return Body(status, headers, max_bytes)


def _encoding(headers: Mapping[str, str]) -> str:
    return headers.get("content-encoding", "").strip().lower() or "identity"
