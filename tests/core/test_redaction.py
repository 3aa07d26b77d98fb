"""The key is masked everywhere outside requests, in every encoding of an echo."""

from __future__ import annotations

import asyncio
import base64
import copy
import json
import logging
import pickle
import sys
import traceback
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given, settings, strategies as st

from chaojiyuyan_core import api
from chaojiyuyan_core.errors import HebingAPIError
from chaojiyuyan_core.http import AsyncTransport, Reply, RequestBuilder, Transport
from chaojiyuyan_core.redaction import Redactor, mask_keys
from support.hostile import Peer, hostile

if TYPE_CHECKING:
    from collections.abc import Callable

KEYS = ["nxt_ag_0123456789abcdefghij", "sk/live+0123456789==abcdefghij", "a-key-of~another.kind-99"]

ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "upper": str.upper,
    "percent": lambda key: quote(key, safe=""),
    "every-percent": lambda key: "".join(f"%{ord(char):02x}" for char in key),
    "percent-twice": lambda key: quote(quote(key, safe=""), safe=""),
    "json": lambda key: "".join(f"\\u{ord(char):04X}" for char in key),
    "python": lambda key: "".join(f"\\x{ord(char):02x}" for char in key),
    "json-slashes": lambda key: key.replace("/", "\\/"),
    "html": lambda key: "".join(f"&#{ord(char)};" for char in key),
    "html-hex": lambda key: "".join(f"&#x{ord(char):x};" for char in key),
    "hex": lambda key: key.encode().hex(),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64-header": lambda key: base64.b64encode(f"Bearer {key}".encode()).decode(),
    "base64-basic": lambda key: base64.urlsafe_b64encode(f":{key}:x".encode()).decode(),
}


def parts_of(key: str) -> list[str]:
    """Return the forbidden parts of a key: any twelve consecutive characters, in any encoding."""
    return [
        encode(key)[at : at + 24]
        for encode in ENCODINGS.values()
        for at in range(8, max(len(encode(key)) - 32, 9), 8)
    ]


def shows(text: str, key: str) -> bool:
    return any(part.lower() in text.lower() for part in (*parts_of(key), key[6:-6]))


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_key_is_masked_in_each_encoding(key: str, encoding: str) -> None:
    redactor = Redactor(key)
    text = f"Authorization: Bearer%20{ENCODINGS[encoding](key)} (refused)"
    for cleaned in (redactor.text(text), redactor.body(text.encode()).decode(), mask_keys(text)):
        assert not shows(cleaned, key)
        assert cleaned.startswith("Authorization: Bearer%20")
        assert cleaned.endswith(" (refused)")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_text_of_only_the_key_is_masked(encoding: str) -> None:
    for key in (*KEYS, "secret"):
        encoded = ENCODINGS[encoding](key)
        assert encoded not in Redactor(key).text(encoded)


@settings(deadline=None)  # the first use of a key compiles its pattern
@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=12))
def test_any_key_is_masked(key: str) -> None:
    redactor = Redactor(key)
    for encode in (str, ENCODINGS["percent"], ENCODINGS["json"], ENCODINGS["hex"]):
        assert encode(key) not in redactor.text(f"<{encode(key)}>")


def test_names_and_values_of_json_are_masked() -> None:
    key = KEYS[1]
    value = {"a": [key, {f"x{key}": 1}], "n": 5, "none": None}
    assert key not in json.dumps(Redactor(key).value(value))
    deep: Any = key
    for _ in range(3000):
        deep = [deep]
    assert key not in repr(Redactor(key).value(deep))


def test_ordinary_text_is_unchanged() -> None:
    text = "job 5 of [test.echo.v1] failed: 100% (nothing more)"
    assert mask_keys(text) == text
    for key in (None, "", "k", "job"):
        assert Redactor(key).text(text) == text


@pytest.mark.parametrize("text", ["\\", "&#0", "%25", "nxt_ag_", "\\u006", "n"])
def test_a_hostile_text_is_searched_in_linear_time(text: str) -> None:
    text *= 200_000 // len(text)  # quadratic time would be an hour
    assert Redactor(KEYS[0]).replace(text) == text


def test_a_redactor_shows_and_pickles_no_key() -> None:
    redactor = Redactor(KEYS[1])
    assert KEYS[1] not in repr(redactor)
    assert KEYS[1].encode() not in pickle.dumps(redactor)


# --- what a transport lets out -------------------------------------------------------------------


def echo_in_an_error(peer: Peer) -> None:
    """Return the headers of the request in each part of an error response."""
    while True:
        key = peer.read_request().lower().partition(b"authorization: bearer ")[2].split(b"\r\n")[0]
        text = "; ".join(encode(key.decode()) for encode in ENCODINGS.values())
        body = {"detail": {"error": text, "code": key.decode(), "headers": {"got": [text]}}}
        header = b"X-Request-Id: req-" + key
        peer.answer(json.dumps(body).encode(), b"401 " + key, header, b"X-Echo: " + key)


def echo_in_a_page(peer: Peer) -> None:
    while True:
        key = peer.read_request().lower().partition(b"authorization: bearer ")[2].split(b"\r\n")[0]
        peer.answer(b"<title>No " + key + b"</title>" + key, b"200 OK")


def echo_at_the_cut(peer: Peer) -> None:
    while True:
        key = peer.read_request().lower().partition(b"authorization: bearer ")[2].split(b"\r\n")[0]
        peer.answer(b" " * 4090 + key, b"500 No")


def echo_as_a_malformed_header(peer: Peer) -> None:
    while True:
        key = peer.read_request().lower().partition(b"authorization: bearer ")[2].split(b"\r\n")[0]
        peer.send(b"HTTP/1.1 200 OK\r\n", key, b"\r\n\r\n")


def echo_in_a_redirect(peer: Peer) -> None:
    while True:
        key = peer.read_request().lower().partition(b"authorization: bearer ")[2].split(b"\r\n")[0]
        peer.answer(b"", b"302 Found", b"Location: https://login.example/?back=" + key)


ECHOES = [
    echo_in_an_error,
    echo_in_a_page,
    echo_at_the_cut,
    echo_as_a_malformed_header,
    echo_in_a_redirect,
]


def error_of(reply: Reply) -> Exception:
    with pytest.raises((HebingAPIError, httpx.HTTPError)) as caught:
        reply.value(api.get_job("j1"))
    return caught.value


def everything_in(error: Exception) -> str:
    """Return every text of an exception that a program may print, log or store."""
    told = ["".join(traceback.format_exception(error)), repr(error), repr(vars(error))]
    if not isinstance(error, httpx.HTTPStatusError):  # httpx cannot unpickle it
        told += [repr(pickle.dumps(error)), repr(vars(pickle.loads(pickle.dumps(error))))]
        told += [repr(vars(copy.copy(error)))]
    response = getattr(error, "response", None)
    if isinstance(response, httpx.Response):
        told += [response.text, repr(response.headers.raw), response.reason_phrase]
        told += [repr(response.request.headers.raw), str(response.request.url)]
    elif isinstance(error, httpx.RequestError):
        told += [repr(error.request.headers.raw), str(error.request.url)]
    return "\n".join(told)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("kind", ["sync", "async", "handed in"])
def test_no_error_and_no_log_shows_the_key(
    key: str, echo: Any, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def by_loop() -> Reply:
        transport = AsyncTransport(builder)
        reply = await transport.send(api.get_job("j1"))
        await transport.close()
        return reply

    caplog.set_level("INFO")
    with hostile(echo) as server:
        builder = RequestBuilder(key, server.url, timeout=5)
        if kind == "async":
            error = error_of(asyncio.run(by_loop()))
        else:
            client = httpx.Client() if kind == "handed in" else None
            if client is not None:  # it also logs
                caplog.set_level("WARNING", "httpx")
            transport = Transport(builder, client)
            error = error_of(transport.send(api.get_job("j1")))
            transport.close()
            if client is not None:
                client.close()
    logging.getLogger("test").error("it failed", exc_info=error)
    assert not shows(everything_in(error) + caplog.text, key)


@pytest.mark.parametrize("key", KEYS)
def test_a_fault_on_the_wire_pickles_without_the_key(key: str) -> None:
    reply = Transport(RequestBuilder(key, "http://127.0.0.1:1")).send(api.get_job("j1"))
    assert isinstance(reply.fault, httpx.ConnectError)
    assert not shows(everything_in(reply.fault), key)
    assert reply.fault.request.url.path == "/kernel-jobs/j1"


def test_a_status_error_of_a_hook_shows_no_key() -> None:
    def strict(response: httpx.Response) -> None:
        response.raise_for_status()

    key = KEYS[0]
    wire = httpx.MockTransport(lambda request: httpx.Response(503))
    with httpx.Client(transport=wire, event_hooks={"response": [strict]}) as client:
        reply = Transport(RequestBuilder(key, "https://api.example"), client).send(api.bid("j"))
    assert isinstance(reply.fault, httpx.HTTPStatusError)
    assert not shows(everything_in(reply.fault), key)


def test_a_reply_and_a_builder_show_no_key() -> None:
    builder = RequestBuilder(KEYS[0], "https://api.example")
    request = builder.build(api.get_job("j1"))
    reply = Reply(200, {"x": KEYS[0]}, KEYS[0].encode(), request=request)
    assert not shows(repr(reply) + repr(builder), KEYS[0])


def test_masking_works_while_another_thread_makes_a_client() -> None:
    known = Redactor(KEYS[2])
    made: list[Redactor] = []

    def make_a_redactor(*_: object) -> None:
        if len(made) < 20:
            made.append(Redactor(f"{KEYS[1]}-{len(made)}"))

    mask_keys("once before, so that its pattern is there")
    sys.setprofile(make_a_redactor)  # at every call in mask_keys, like another thread
    try:
        masked = mask_keys(f"key: {KEYS[2]}")
    finally:
        sys.setprofile(None)
    assert made
    assert not shows(masked, KEYS[2])
    assert repr(known)
