"""The readers of untrusted bytes, each with its fuzz input and its checks.

A target takes one value. A failed assertion, or an exception that the reader does not document, is
a fault. There is no reader of server-sent events, because only the console's htmx reads them.
"""

from __future__ import annotations

import json
import sys
import tempfile
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from hypothesis import strategies as st

from chaojiyuyan_cli._artifacts import file_name
from chaojiyuyan_cli._clients.json_text import JsonServers
from chaojiyuyan_cli._clients.servers import ServersTextError
from chaojiyuyan_cli._clients.toml_text import TomlServers
from chaojiyuyan_core import api
from chaojiyuyan_core.credentials import load_credentials, save_credentials
from chaojiyuyan_core.device_login import wait_for_approval
from chaojiyuyan_core.errors import CredentialsError, HebingError, WebhookVerificationError
from chaojiyuyan_core.http import Reply, Send, Sleep
from chaojiyuyan_core.text import escape_text, strip_invisible
from chaojiyuyan_core.times import parse_http_date, parse_iso
from chaojiyuyan_core.webhooks import sign_webhook, unwrap_webhook, verify_webhook_signature

if TYPE_CHECKING:
    from collections.abc import Callable

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ENTRY = {"command": "/usr/bin/chaojiyuyan", "args": ["mcp-server"], "env": {"KEY": "nxt_ag_x"}}
KEY = "nxt_ag_abcdefghijklsecret"
SECRET = "whsec_fuzz"


@dataclass(frozen=True)
class Target:
    """One reader of untrusted bytes.

    Attributes:
        values: The strategy for its input.
        check: Tests one value; an exception is a fault.
    """

    values: st.SearchStrategy[Any]
    check: Callable[[Any], None]


# --- what comes in -------------------------------------------------------------------------------

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
json_values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=12,
)
spaces = st.text(" \t\n\r", max_size=3)


@st.composite
def mangled(draw: st.DrawFn, documents: st.SearchStrategy[str]) -> str:
    """An almost valid document: a part of it removed, doubled or replaced."""
    text = draw(documents)
    for _ in range(draw(st.integers(0, 2))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 8)))
        piece = draw(st.sampled_from(["", text[start:end] * 2]) | st.text(max_size=4))
        text = text[:start] + piece + text[end:]
    return text


@st.composite
def json_documents(draw: st.DrawFn) -> str:
    """A client's configuration, with whitespace and members of any kind."""
    members = draw(st.dictionaries(st.text(max_size=8), json_values, max_size=3))
    members["mcpServers"] = draw(
        st.dictionaries(st.sampled_from(["chaojiyuyan", "other"]), json_values, max_size=2)
        | json_values
    )
    indent = draw(st.sampled_from([None, 0, 2, "\t"]))
    text = json.dumps(members, indent=indent, ensure_ascii=draw(st.booleans()))
    return draw(spaces) + text + draw(spaces)


toml_lines = st.sampled_from(
    [
        *("[mcp_servers.chaojiyuyan]", "[mcp_servers.other]", "[mcp_servers.chaojiyuyan.env]"),
        *("[[a]]", "[mcp_servers]", '[mcp_servers."chaojiyuyan"]', "# [mcp_servers.chaojiyuyan]"),
        *('command = "x"', "KEY = 'v'", 'args = ["a", # c', '"b"]', "a.b = 1", ""),
        *('text = """', '"""', '"quoted key" = {x = 1}', 'chaojiyuyan = {command = "y"}'),
    ]
)
toml_documents = st.builds(
    lambda lines, newline: newline.join(lines),
    st.lists(toml_lines, max_size=8),
    st.sampled_from(["\n", "\r\n"]),
)
ini_lines = st.sampled_from(
    ["[default]", "[other]", "[DEFAULT]", "api_key = nxt_ag_a", "api_key=", " m", "# c", "[", "="]
)
credentials_files = st.builds(
    lambda lines, rest: "\n".join(lines).encode() + rest,
    st.lists(ini_lines | st.text(max_size=12), max_size=6),
    st.binary(max_size=12),
)
bodies = st.one_of(
    st.binary(max_size=60),
    json_values.map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries(
        {},
        optional={
            "data": json_values,
            "detail": json_values
            | st.fixed_dictionaries({}, optional={"error": json_values, "code": json_values}),
            "items": json_values,
        },
    ).map(lambda value: json.dumps(value).encode()),
)
headers = st.dictionaries(
    st.sampled_from(["retry-after", "date", "content-type", "x-request-id"]),
    st.binary(max_size=30)
    | st.sampled_from([b"1e999", b"-1", b"Wed, 21 Oct 2015 07:28:00 GMT", b"9" * 40, b"text/html"]),
)
statuses = st.sampled_from(
    [200, 201, 204, 301, 400, 401, 403, 404, 409, 410, 418, 422, 428, 429, 503],
)
answers = st.tuples(statuses, headers, bodies)


def reply_of(answer: tuple[int, dict[str, bytes], bytes]) -> Reply:
    """A response as the transport returns it."""
    status, headers, body = answer
    return Reply(status, httpx.Headers([(name.encode(), headers[name]) for name in headers]), body)


# --- what must hold ------------------------------------------------------------------------------


def edit_json(text: str) -> None:
    """Only our entry's characters change, and removing it restores the same servers."""
    servers = JsonServers("mcpServers")
    try:
        before = servers.entries(text)
        edited = servers.set_entry(text, "chaojiyuyan", ENTRY)
        removed = servers.remove_entry(edited, "chaojiyuyan")
    except ServersTextError:
        return
    assert json.loads(edited)["mcpServers"]["chaojiyuyan"] == ENTRY
    left = {name: entry for name, entry in before.items() if name != "chaojiyuyan"}
    after = {name: entry for name, entry in servers.entries(edited).items() if name in left}
    assert repr(after) == repr(left)  # NaN is not equal to itself
    assert repr(servers.entries(removed)) == repr(left)


def edit_toml(text: str) -> None:
    """The other servers stay, and removing ours restores the same servers."""
    servers = TomlServers("mcp_servers")
    try:
        before = servers.entries(text)
        edited = servers.set_entry(text, "chaojiyuyan", ENTRY)
        removed = servers.remove_entry(edited, "chaojiyuyan")
    except ServersTextError:
        return
    assert tomllib.loads(edited)["mcp_servers"]["chaojiyuyan"] == ENTRY
    left = {name: entry for name, entry in before.items() if name != "chaojiyuyan"}
    assert repr(servers.entries(removed)) == repr(left)


def read_credentials(content: bytes) -> None:
    """A file is read or refused; a saved value is read again."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "credentials")
        path.write_bytes(content)
        path.chmod(0o600)
        try:
            load_credentials(path=path)
            save_credentials(KEY, profile="fuzz", path=path)
        except CredentialsError:
            return
        kept = load_credentials(profile="fuzz", path=path)
        assert kept is not None
        assert kept["api_key"] == KEY


def verify_webhook(sent: tuple[bytes | str, bytes]) -> None:
    """Only the right signature verifies, and a signed body is an event or refused."""
    signature, body = sent
    right = sign_webhook(body, SECRET)
    if verify_webhook_signature(signature, body, SECRET):
        text = signature if isinstance(signature, str) else signature.decode()
        assert right.removeprefix("sha256=") in text.lower()
    try:
        event = unwrap_webhook(body, {"X-Kernel-Signature": right}, SECRET)
    except WebhookVerificationError:
        return
    assert isinstance(event, dict)


CALLS = [
    api.get_job("job_1"),
    api.start_device_login("fuzz"),
]


def read_answer(answer: tuple[int, dict[str, bytes], bytes]) -> None:
    """A response is a value or a documented error, which can be printed."""
    reply = reply_of(answer)
    assert reply.retry_after is None or 0 <= reply.retry_after <= 120
    for call in CALLS:
        try:
            reply.value(call)
        except HebingError as error:
            str(error)
            repr(error)
    if not reply.is_success:
        assert isinstance(reply.error(), Exception)


def poll_device_login(given: tuple[dict[str, Any], list[Any]]) -> None:
    """A login ends for any response: with a key, a documented error or at its deadline."""
    code, sent = given
    clock = 0.0
    flow = wait_for_approval(code, now=lambda: clock, timeout=60.0)  # type: ignore[arg-type]
    step: Any = None
    reply: Reply | None = None
    for count in range(1000):
        try:
            step = flow.send(reply)
        except (StopIteration, HebingError):
            return
        if isinstance(step, Send):
            reply = reply_of(sent[count % len(sent)])
            clock += 0.1
        else:
            reply = None
            assert isinstance(step, Sleep)
            assert 0 <= step.seconds <= 60
            clock += step.seconds
    raise AssertionError("the login does not end")


def name_artifact(artifact: dict[str, Any]) -> None:
    """A name is one segment of a path on every system."""
    name = file_name(artifact, 1)  # type: ignore[arg-type]
    assert name.strip(". ")
    assert not set(name) & set('/\\:*?"<>|')
    assert not any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in name)
    assert len(name) <= 140
    assert Path(name).name == name
    name.encode()


def show_text(text: str) -> None:
    """Printed text cannot control a terminal, and text for a model has no hidden characters."""
    for letter in escape_text(text):
        assert unicodedata.category(letter) not in {"Cc", "Zl", "Zp"}
    assert len(escape_text(text, 10)) <= 40
    assert not any(0xE0000 <= ord(letter) <= 0xE007F for letter in strip_invisible(text))


def read_time(text: str) -> None:
    """Parsing a time never raises, and a parsed time has a time zone."""
    for time in (parse_iso(text), parse_http_date(text)):
        assert time is None or time.tzinfo is not None


numbers = st.integers() | st.floats() | st.text(max_size=4) | st.none()
names = st.text(max_size=200) | st.sampled_from(["..", "CON", "a/../b", "\u202etxt.exe", "x" * 300])
times = st.text(max_size=30) | st.datetimes().map(str) | st.from_regex(r"\d{4}-\d\d-\d\dT[\d:.]+Z?")

TARGETS: dict[str, Target] = {
    "json-editing": Target(mangled(json_documents()) | st.text(max_size=40), edit_json),
    "toml-editing": Target(mangled(toml_documents) | st.text(max_size=40), edit_toml),
    "credentials": Target(credentials_files, read_credentials),
    "webhooks": Target(
        st.tuples(
            st.binary(max_size=80) | st.text(max_size=80) | st.from_regex(r"sha256=[0-9a-f]{64}"),
            bodies,
        ),
        verify_webhook,
    ),
    "answers": Target(answers, read_answer),
    "device-codes": Target(
        st.tuples(
            st.fixed_dictionaries(
                {"device_code": st.just("code"), "user_code": st.text(max_size=9)},
                optional={"interval": numbers, "expires_in": numbers},
            ),
            st.lists(answers, min_size=1, max_size=4),
        ),
        poll_device_login,
    ),
    "artifact-names": Target(
        st.fixed_dictionaries(
            {},
            optional={
                "id": names,
                "mime_type": st.text(max_size=20) | st.sampled_from(["image/png", "text/html; x"]),
                "meta": json_values | st.fixed_dictionaries({"filename": names | json_values}),
            },
        ),
        name_artifact,
    ),
    "shown-text": Target(st.text(), show_text),
    "times": Target(times, read_time),
}
"""Each target by its name."""
