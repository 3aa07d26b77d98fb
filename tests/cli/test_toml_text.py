"""A TOML document is edited as text in one place, and the rest does not change."""

from __future__ import annotations

import pytest
from hypothesis import example, given, strategies as st

from chaojiyuyan_cli._clients.servers import Json, ServersTextError
from chaojiyuyan_cli._clients.toml_text import TomlServers

NAME = "chaojiyuyan"
SERVERS = TomlServers("mcp_servers")
ENTRY: dict[str, Json] = {
    "command": "/opt/bin/chaojiyuyan",
    "args": ["mcp-server"],
    "env": {"HEBING_BASE_URL": "https://x", "an odd name": "值\x7f"},
}

pieces = st.sampled_from(
    [
        "",
        "# a comment\n",
        "[mcp_servers.chaojiyuyan-other]\n",
        "[[tools]]\n",
        "[a.'b.c'] # [not.a.table]\n",
        "   \n",
        "[a.nested]\r\n",
    ]
)
values = st.sampled_from(
    [
        "1",
        "nan",
        '"[mcp_servers.chaojiyuyan]"',
        '"""\n[mcp_servers.chaojiyuyan]\n"""',
        "'''\n[mcp_servers.chaojiyuyan]''''",
        "[\n  [1], # one\n  [2],\n]",
        "{ a = [ { b = 1 } ] }",
        "1979-05-27T07:32:00Z",
        '"a # b" # c',
    ]
)


@st.composite
def documents(draw: st.DrawFn) -> str:
    tables = draw(st.lists(pieces, max_size=5, unique=True))
    text = ""
    for number, piece in enumerate(tables):
        text += piece
        for key in range(draw(st.integers(0, 2))):
            text += f"k{number}{key} = {draw(values)}\n"
    return text.rstrip("\r\n") if draw(st.booleans()) else text


@given(documents())
@example("")
@example("a=1")
@example("\n\n")
@example("[mcp_servers]\n")
@example("mcp_servers.other.command = 'x'\n")
@example("a=1\r\n[b]\r\nc=2\r\n")
def test_adding_and_removing_an_entry_restores_the_text(document: str) -> None:
    written = SERVERS.set_entry(document, NAME, ENTRY)
    assert SERVERS.entries(written)[NAME] == ENTRY
    assert written.startswith(document)
    assert SERVERS.remove_entry(written, NAME) == document
    replaced = SERVERS.set_entry(written, NAME, {"command": "y"})
    assert SERVERS.entries(replaced)[NAME] == {"command": "y"}
    assert SERVERS.remove_entry(replaced, NAME) == document


USERS = """# my config
model = "o3"

[mcp_servers.chaojiyuyan]
command = "a" # why
startup_timeout_sec = 20

[mcp_servers.chaojiyuyan.env]
K = "v"

# about b
[b]
c = 1
"""


def test_an_entry_written_by_the_client_is_replaced_and_removed() -> None:
    assert SERVERS.set_entry(USERS, NAME, {"command": "b"}) == (
        '# my config\nmodel = "o3"\n\n[mcp_servers.chaojiyuyan]\ncommand = "b"\n'
        "\n# about b\n[b]\nc = 1\n"
    )
    assert SERVERS.remove_entry(USERS, NAME) == (
        '# my config\nmodel = "o3"\n\n# about b\n[b]\nc = 1\n'
    )


def test_removing_a_missing_entry_changes_nothing() -> None:
    assert SERVERS.remove_entry("a = 1", NAME) == "a = 1"


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ("a = ", "not valid TOML"),
        ("mcp_servers = 1", "not a table"),
        ("mcp_servers = { chaojiyuyan = { command = 'x' } }", "cannot be edited safely"),
        ("[mcp_servers]\nchaojiyuyan = { command = 'x' }\n", "cannot be edited safely"),
        ("mcp_servers.chaojiyuyan.command = 'x'\n", "cannot be edited safely"),
        ("a = " + "[" * 100_000, "nested too deeply"),
    ],
    ids=lambda value: value[:30],
)
def test_a_document_that_cannot_be_edited_safely_is_refused(document: str, why: str) -> None:
    with pytest.raises(ServersTextError, match=why):
        SERVERS.set_entry(document, NAME, ENTRY)
    with pytest.raises(ServersTextError, match=why):
        SERVERS.remove_entry(document, NAME)
