from __future__ import annotations

import base64
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given, strategies as st

from chaojiyuyan_client.download import download
from chaojiyuyan_core.errors import DownloadError, NotFoundError, ServerError
from chaojiyuyan_core.http import Retry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

CONTENT = bytes(range(256)) * 400


@pytest.fixture
def make_mocked(kind: str, make_client: Callable[..., Any]) -> Any:
    def make(handler: Any, base_url: str = "https://api.example/v1", **client_options: Any) -> Any:
        transport = httpx.MockTransport(handler)
        cls = httpx.Client if kind == "sync" else httpx.AsyncClient
        http_client = cls(transport=transport, **client_options)
        return make_client("nxt_ag_key", base_url, http_client=http_client)

    return make


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    return path


def only(target: Path) -> bytes:
    """Return the content of the file, and check that its folder has no other file."""
    assert [entry.name for entry in target.parent.iterdir()] == [target.name]
    return target.read_bytes()


def at(url: str, **fields: Any) -> Any:
    return {"id": "a", "artifact_uri": url, **fields}


def test_a_file_is_written_atomically(make_mocked: Any, target: Path) -> None:
    client = make_mocked(lambda request: httpx.Response(200, content=CONTENT))
    artifact = at("https://files.example/a", size_bytes=len(CONTENT))
    assert client.download(artifact, str(target), overwrite=True) == target
    assert only(target) == CONTENT


@pytest.mark.parametrize(
    ("url", "content"),
    [
        ("data:text/plain;charset=utf-8,%E4%BD%A0%20a+b", "你 a+b".encode()),
        ("data:image/png;base64,iVBORw==", b"\x89PNG"),
        ("DATA:;BASE64,YQ==", b"a"),
        ("data:,", b""),
    ],
)
def test_a_data_url_is_decoded(make_mocked: Any, target: Path, url: str, content: bytes) -> None:
    make_mocked(None).download(at(url), target, overwrite=True)
    assert only(target) == content


@pytest.mark.parametrize(
    "url",
    [
        *(
            "data:nothing",
            "data:;base64,*",
            "data:;base64,YQ",
            "",
            "file:///etc/passwd",
            "ftp://x/",
        ),
        *("http://files.example/a", "http://127.0.0.1/a", "//x/a", "https://", "https://[/", "a"),
        *("https://files.example\t/a", "https://files.example/\x7f"),
    ],
)
def test_another_address_is_refused_without_a_request(
    make_mocked: Any, target: Path, url: str
) -> None:
    with pytest.raises(DownloadError):
        make_mocked(None).download(at(url), target, overwrite=True)
    assert only(target) == b"old"


def test_an_artifact_without_an_address_is_refused(make_mocked: Any, target: Path) -> None:
    for artifact in ({}, {"artifact_uri": None}, {"artifact_uri": 5}):
        with pytest.raises(DownloadError):
            make_mocked(None).download(artifact, target, overwrite=True)


@pytest.mark.parametrize("size", [len(CONTENT) - 1, len(CONTENT) + 1, 0])
def test_a_size_other_than_declared_is_an_error(make_mocked: Any, target: Path, size: int) -> None:
    client = make_mocked(lambda request: httpx.Response(200, content=CONTENT))
    with pytest.raises(DownloadError, match=f"declared {size}|{size} bytes are declared"):
        client.download(at("https://files.example/a", size_bytes=size), target, overwrite=True)
    with pytest.raises(DownloadError):
        client.download(at("data:,abcd", size_bytes=3), target, overwrite=True)
    assert only(target) == b"old"


def test_an_endless_response_is_stopped(make_mocked: Any, target: Path) -> None:
    sent = 0

    class Endless(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            nonlocal sent
            while True:
                sent += 1
                yield bytes(1000)

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for chunk in self:
                yield chunk

    client = make_mocked(lambda request: httpx.Response(200, stream=Endless()))
    with pytest.raises(DownloadError, match="10000 bytes are declared"):
        client.download(at("https://files.example/a", size_bytes=10_000), target, overwrite=True)
    assert sent < 100
    assert only(target) == b"old"


@pytest.mark.parametrize(("status", "error"), [(404, NotFoundError), (501, ServerError)])
def test_an_error_of_the_host_is_an_api_error(
    make_mocked: Any, target: Path, status: int, error: type[Exception]
) -> None:
    client = make_mocked(lambda request: httpx.Response(status, text="<Error>no</Error>"))
    with pytest.raises(error):
        client.download(at("https://files.example/a"), target, overwrite=True)
    assert only(target) == b"old"


HOSTS = [
    ("https://api.example/files/a", True),
    ("https://api.example:443/files/a", True),
    ("https://api.example:8443/files/a", False),
    ("https://files.api.example/a", False),
    ("https://files.example/a", False),
    ("https://api.example/v1/kernel-jobs?limit=50", False),
    ("https://api.example/v1//kernel%2Djobs/j1/events", False),
]


@pytest.mark.parametrize(("url", "with_key"), HOSTS)
@pytest.mark.parametrize("own_header", [True, False])
def test_the_key_is_sent_only_to_the_platforms_origin(
    make_mocked: Any, target: Path, url: str, with_key: bool, own_header: bool
) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=b"x")

    headers = {"Authorization": "Bearer nxt_ag_key"} if own_header else {}
    options = {"headers": headers, "auth": ("nxt_ag_key", "nxt_ag_key")}
    make_mocked(answer, **options).download(at(url), target, overwrite=True)
    sent = seen[0].headers
    assert sent.get("authorization") == ("Bearer nxt_ag_key" if with_key else None)
    assert with_key or not any("nxt_ag" in value for value in sent.values())
    assert sent["accept-encoding"] == "identity"


def test_redirects_are_followed_without_the_key(make_mocked: Any, target: Path) -> None:
    seen: list[tuple[str, str | None]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.host, request.headers.get("authorization")))
        if request.url.host == "api.example":
            return httpx.Response(302, headers={"Location": "https://files.example/a?signed=1"})
        return httpx.Response(200, content=CONTENT)

    make_mocked(answer).download(at("https://api.example/files/a"), target, overwrite=True)
    assert seen == [("api.example", "Bearer nxt_ag_key"), ("files.example", None)]
    assert only(target) == CONTENT


def test_redirects_of_the_http_client_are_not_used(make_mocked: Any, target: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.scheme == "https"
        return httpx.Response(302, headers={"Location": "http://files.example/a"})

    client = make_mocked(answer, follow_redirects=True)
    with pytest.raises(DownloadError, match="not an https"):
        client.download(at("https://files.example/a"), target, overwrite=True)


@pytest.mark.parametrize(
    "location", ["http://files.example/a", "file:///etc/passwd", "/again", "data:,x"]
)
def test_a_forbidden_or_endless_redirect_is_an_error(
    make_mocked: Any, target: Path, location: str
) -> None:
    client = make_mocked(lambda request: httpx.Response(302, headers={"Location": location}))
    with pytest.raises((DownloadError, httpx.UnsupportedProtocol, httpx.RemoteProtocolError)):
        client.download(at("https://files.example/a"), target, overwrite=True)
    assert only(target) == b"old"


def test_a_file_that_exists_is_not_overwritten(make_mocked: Any, target: Path) -> None:
    with pytest.raises(FileExistsError, match=r"file\.bin exists: .*overwrite=True"):
        make_mocked(None).download(at("https://files.example/a"), target)
    assert only(target) == b"old"


def test_a_file_created_during_the_download_is_kept(make_mocked: Any, tmp_path: Path) -> None:
    path = tmp_path / "Makefile"

    def answer(request: httpx.Request) -> httpx.Response:
        path.write_bytes(b"another's")
        return httpx.Response(200, content=CONTENT)

    with pytest.raises(FileExistsError, match="Makefile exists"):
        make_mocked(answer).download(at("https://files.example/a"), path)
    assert only(path) == b"another's"


def special(path: Path, kind: str) -> Path:
    """Make a target that is not a regular file, such as a link, a pipe or a device."""
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        return Path("/dev/null")
    elif kind == "dangling":
        path.symlink_to(path.parent / "elsewhere" / "absent")
    else:
        path.symlink_to(path.parent / "elsewhere" / "there")
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="links, pipes and devices of POSIX")
@pytest.mark.parametrize("kind_of_target", ["link", "dangling", "fifo", "device"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_not_a_file_is_never_written_to(
    make_mocked: Any, tmp_path: Path, kind_of_target: str, overwrite: bool
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "there").write_bytes(b"old")
    path = special(tmp_path / "target", kind_of_target)
    with pytest.raises(FileExistsError, match="a link, a pipe or a device"):
        make_mocked(None).download(at("data:,new"), path, overwrite=overwrite)
    assert [entry.name for entry in elsewhere.iterdir()] == ["there"]
    assert (elsewhere / "there").read_bytes() == b"old"


def test_a_name_may_have_the_maximum_length(make_mocked: Any, tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    make_mocked(None).download(at("data:,a"), path)
    assert only(path) == b"a"


@pytest.mark.parametrize("size", [None, 11])
def test_a_download_stops_at_max_bytes(make_mocked: Any, tmp_path: Path, size: int | None) -> None:
    path = tmp_path / "file"
    client = make_mocked(lambda request: httpx.Response(200, content=bytes(11)))
    with pytest.raises(DownloadError, match="max_bytes"):
        client.download(at("https://files.example/a", size_bytes=size), path, max_bytes=10)
    assert list(tmp_path.iterdir()) == []
    client.download(at("https://files.example/a", size_bytes=size), path, max_bytes=11)
    assert path.read_bytes() == bytes(11)


def test_a_folder_as_target_or_a_missing_folder_is_an_os_error(
    make_mocked: Any, tmp_path: Path
) -> None:
    for to in (tmp_path, tmp_path / "absent" / "file"):
        with pytest.raises(OSError, match=r"folder|directory"):
            make_mocked(None).download(at("data:,a"), to)


# --- over real HTTP ------------------------------------------------------------------------------


class FileServer(ThreadingHTTPServer):
    """Serves one file by calling `serve` with the handler and the number of each request."""

    serve: Callable[[BaseHTTPRequestHandler, int], None]

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _FileHandler)
        self.url = f"http://127.0.0.1:{self.server_port}/a"
        self.ranges: list[str | None] = []


class _FileHandler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, FileServer)
        self.server.ranges.append(self.headers["range"])
        self.server.serve(self, len(self.server.ranges))

    def log_message(self, *args: object) -> None:
        pass


def send(
    handler: BaseHTTPRequestHandler,
    status: int,
    headers: dict[str, str],
    content: bytes,
    *,
    cut: int | None = None,
) -> None:
    """Respond with a file or a part of it, complete or cut after some bytes."""
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(content)))
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(content[:cut])


@pytest.fixture
def files() -> Iterator[FileServer]:
    """A file server that cuts its first response."""
    with FileServer() as server:
        server.serve = lambda handler, number: send(
            handler, 200, {}, CONTENT, cut=5000 if number == 1 else None
        )
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


STRONG = {"ETag": '"v1"'}
LONG_AGO = {"Last-Modified": "Sun, 01 Nov 2026 00:00:00 GMT"}
REST = CONTENT[5000:]


def rest_of(first: int = 5000, **headers: str) -> dict[str, str]:
    whole = len(CONTENT)
    return {"Content-Range": f"bytes {first}-{whole - 1}/{whole}", **headers}


@pytest.mark.parametrize("state", [STRONG, LONG_AGO])
def test_an_interrupted_download_resumes(
    files: FileServer, make_client: Any, target: Path, state: dict[str, str]
) -> None:
    def serve(handler: BaseHTTPRequestHandler, number: int) -> None:
        if number == 1:
            send(handler, 200, state, CONTENT, cut=5000)
            return
        assert handler.headers["if-range"] == next(iter(state.values()))
        send(handler, 206, {**rest_of(), **state}, REST)

    files.serve = serve
    done: list[int] = []
    client = make_client("nxt_ag_key", "http://127.0.0.1:1/api/v1")
    artifact = at(files.url, size_bytes=len(CONTENT))
    client.download(artifact, target, overwrite=True, on_progress=done.append)
    assert only(target) == CONTENT
    assert files.ranges == [None, "bytes=5000-"]
    assert done == sorted(done)
    assert done[-1] == len(CONTENT)


@pytest.mark.parametrize(
    "second",
    [
        (200, {"ETag": '"v2"'}, CONTENT),
        (206, {**rest_of(), "ETag": '"v2"'}, REST),
        (206, {**rest_of(5001), **STRONG}, REST),
        (206, STRONG, REST),
        (206, {"Content-Range": "bytes */5", **STRONG}, REST),
        (416, {"Content-Range": f"bytes */{len(CONTENT)}"}, b""),
    ],
)
def test_a_wrong_range_restarts_the_download(
    files: FileServer, make_client: Any, target: Path, second: Any
) -> None:
    def serve(handler: BaseHTTPRequestHandler, number: int) -> None:
        if number == 1:
            send(handler, 200, STRONG, CONTENT, cut=5000)
        elif number == 2:
            send(handler, *second)
        else:
            send(handler, 200, {"ETag": '"v2"'}, CONTENT)

    files.serve = serve
    make_client("nxt_ag_key", "http://127.0.0.1:1/api/v1").download(
        at(files.url, size_bytes=len(CONTENT)), target, overwrite=True
    )
    assert only(target) == CONTENT
    assert files.ranges[1] == "bytes=5000-"
    assert files.ranges[2:] in ([], [None])


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"ETag": 'W/"v1"'},
        {"ETag": 'W/"v1"', **LONG_AGO},
        {"Last-Modified": "Sun, 01 Nov 2099 00:00:00 GMT"},
        {"Last-Modified": "yesterday"},
    ],
)
def test_a_file_without_a_strong_validator_restarts(
    files: FileServer, make_client: Any, target: Path, state: dict[str, str]
) -> None:
    files.serve = lambda handler, number: send(
        handler, 200, state, CONTENT, cut=5000 if number == 1 else None
    )
    make_client("nxt_ag_key", "http://127.0.0.1:1/api/v1").download(
        at(files.url), target, overwrite=True
    )
    assert only(target) == CONTENT
    assert files.ranges == [None, None]


def test_a_host_that_sends_only_parts_is_an_error(
    files: FileServer, make_client: Any, target: Path
) -> None:
    files.serve = lambda handler, number: send(handler, 206, rest_of(0), CONTENT)
    with pytest.raises(DownloadError, match="not requested"):
        make_client("nxt_ag_key", "http://127.0.0.1:1/api/v1").download(
            at(files.url), target, overwrite=True
        )
    assert only(target) == b"old"


def test_without_retries_an_interruption_keeps_the_old_file(
    files: FileServer, make_client: Any, target: Path
) -> None:
    client = make_client("nxt_ag_key", "http://127.0.0.1:1/api/v1", max_retries=0)
    with pytest.raises(httpx.RemoteProtocolError):
        client.download(at(files.url), target, overwrite=True)
    assert only(target) == b"old"


def test_a_jobs_artifact_is_downloaded(client: Any, kernel: Any, target: Path) -> None:
    job = client.call("test.echo.v1", {})
    kernel.settle(job.id, {}, [{"kind": "json", "artifact_uri": "data:,%7B%7D", "size_bytes": 2}])
    done = job.wait(timeout=5)
    assert done.download(done.artifacts[0], target, overwrite=True) == target
    assert only(target) == b"{}"


@given(st.text(), st.binary())
def test_any_data_url_is_decoded_or_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str, content: bytes
) -> None:
    target = tmp_path_factory.mktemp("data") / "file"
    encoded = base64.b64encode(content).decode()
    for url, expected in ((f"data:;base64,{encoded}", content), (f"data:{text}", None)):
        flow = download(at(url), target, retry=Retry(), base_url="https://x", overwrite=True)
        try:
            with pytest.raises(StopIteration):
                next(flow)
        except DownloadError:
            assert expected is None
        else:
            assert expected is None or target.read_bytes() == expected
