"""A JSON document is edited as text in one place, and the rest does not change."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given, settings, strategies as st

from chaojiyuyan_cli._clients.json_text import JsonServers
from chaojiyuyan_cli._clients.servers import ServersTextError

KEY, CONTAINER = "chaojiyuyan", "mcpServers"
SERVERS = JsonServers(CONTAINER)
ENTRY = {"command": "/opt/bin/chaojiyuyan", "args": ["mcp-server"], "env": {"NAME": "值"}}

spaces = st.text(" \t\n\r", max_size=4)
names = st.sampled_from(
    [
        '"mcpServers"',
        '"mcp\\u0053ervers"',
        '"chaojiyuyan"',
        '"a"',
        '"a\\"}{\\\\"',
        '"}"',
        '"名"',
        '""',
    ]
)
scalars = st.one_of(
    st.sampled_from(
        ["null", "true", "false", "1E400", "-0.0", "1.10", "9" * 5000, '"\\ud800"', '"\\/"']
    ),
    st.integers().map(str),
    st.text().map(json.dumps),
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='"\\')).map(
        '"{}"'.format
    ),
)


@st.composite
def objects(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    members = draw(st.lists(st.tuples(spaces, names, spaces, spaces, values, spaces), max_size=4))
    parts = [f"{a}{name}{b}:{c}{value}{d}" for a, name, b, c, value, d in members]
    return "{" + (",".join(parts) or draw(spaces)) + "}"


@st.composite
def arrays(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    items = draw(st.lists(st.tuples(spaces, values, spaces), max_size=3))
    return "[" + (",".join(map("".join, items)) or draw(spaces)) + "]"


values = st.recursive(scalars, lambda inner: objects(inner) | arrays(inner), max_leaves=8)
indents = st.sampled_from([None, 0, 1, 2, 4, "\t"])
pretty = st.builds(
    lambda value, indent: json.dumps(value, indent=indent, ensure_ascii=False),
    st.dictionaries(
        st.sampled_from([CONTAINER, "a", "名"]),
        st.dictionaries(
            st.sampled_from(["b", "服务"]),
            st.integers() | st.dictionaries(st.text("xy"), st.none()),
        ),
    ),
    indents,
)
documents = st.builds("".join, st.tuples(spaces, objects(values) | pretty, spaces))


def editable(document: str) -> bool:
    try:
        return KEY not in SERVERS.entries(document)
    except ServersTextError:
        return False


def has_empty_container(document: str) -> bool:
    """Return whether the document has exactly one container, and it is empty."""
    containers = []

    def note(members: list[tuple[str, object]]) -> dict[str, object]:
        containers[:] = [value for name, value in members if name == CONTAINER]
        return dict(members)

    json.loads(document, object_pairs_hook=note, parse_int=float)  # the hook sees the root last
    return containers == [{}]


@settings(deadline=None)
@given(documents.filter(editable).filter(lambda document: not has_empty_container(document)))
@example("{}")
@example('{"a":1,"mcpServers":{"b":{}},"mcpServers":{}}')
@example('{\r\n\t"a": 1\r\n}\r\n')
@example("{\r}")
def test_adding_and_removing_an_entry_restores_the_text(document: str) -> None:
    written = SERVERS.set_entry(document, KEY, ENTRY)
    assert SERVERS.entries(written)[KEY] == ENTRY
    assert SERVERS.remove_entry(written, KEY) == document


@settings(deadline=None)
@given(documents.filter(editable))
def test_setting_an_entry_only_inserts_text_in_one_place(document: str) -> None:
    written = SERVERS.set_entry(document, KEY, ENTRY)
    added = len(written) - len(document)
    assert any(written[:at] + written[at + added :] == document for at in range(len(document) + 1))


@settings(deadline=None)
@given(
    documents.filter(editable).filter(lambda document: not has_empty_container(document)),
    st.text(),
)
def test_a_replaced_entry_can_be_removed(document: str, path: str) -> None:
    once = SERVERS.set_entry(document, KEY, {"command": path})
    twice = SERVERS.set_entry(once, KEY, ENTRY)
    assert SERVERS.entries(twice)[KEY] == ENTRY
    assert SERVERS.remove_entry(twice, KEY) == document


@settings(deadline=None)
@given(documents)
def test_after_a_removal_the_entry_is_gone(document: str) -> None:
    try:
        removed = SERVERS.remove_entry(document, KEY)
    except ServersTextError:
        return  # for example, an exposed duplicate is not an object
    assert KEY not in SERVERS.entries(removed)


def test_a_new_entry_follows_the_layout_of_the_document() -> None:
    document = '{\n\t"a": 1,\n\t"mcpServers": {\n\t\t"b": {}\n\t}\n}\n'
    assert SERVERS.set_entry(document, KEY, {"command": "x"}) == (
        '{\n\t"a": 1,\n\t"mcpServers": {\n\t\t"b": {},\n'
        '\t\t"chaojiyuyan": {\n\t\t\t"command": "x"\n\t\t}\n\t}\n}\n'
    )


def test_a_document_on_one_line_stays_on_one_line() -> None:
    assert SERVERS.set_entry('{"a":1}', KEY, {"command": "x"}) == (
        '{"a":1, "mcpServers": {"chaojiyuyan": {"command": "x"}}}'
    )


@pytest.mark.parametrize("blank", ["", " \n"])
def test_a_blank_document_counts_as_an_empty_object(blank: str) -> None:
    written = SERVERS.set_entry(blank, KEY, {"command": "x"})
    assert written == (
        '{\n  "mcpServers": {\n    "chaojiyuyan": {\n      "command": "x"\n    }\n  }\n}\n'
    )
    assert SERVERS.remove_entry(written, KEY) == "{}\n"


@pytest.mark.parametrize("indent", [None, 2, 4])
def test_the_container_is_removed_with_its_last_entry(indent: int | None) -> None:
    document = json.dumps({"a": 1, CONTAINER: {KEY: ENTRY}}, indent=indent)
    assert json.loads(SERVERS.remove_entry(document, KEY)) == {"a": 1}


@pytest.mark.parametrize("document", ['{"a": 1, "mcpServers": {}}', '{"mcpServers":\n{ },"a":1}'])
def test_an_empty_container_is_removed(document: str) -> None:
    written = SERVERS.set_entry(document, KEY, ENTRY)
    assert json.loads(SERVERS.remove_entry(written, KEY)) == {"a": 1}


def test_a_removal_does_not_expose_a_duplicate_container() -> None:
    document = '{"mcpServers": {"hidden": 1}, "mcpServers": {"chaojiyuyan": 2}}'
    removed = SERVERS.remove_entry(document, KEY)
    assert json.loads(removed) == {"mcpServers": {}}


def test_duplicates_of_the_entry_are_removed_together() -> None:
    document = '{"mcpServers": {"chaojiyuyan": 1, "b": 2, "chaojiyuyan": null}}'
    assert SERVERS.remove_entry(document, KEY) == '{"mcpServers": {"b": 2}}'


def test_removing_a_missing_entry_changes_nothing() -> None:
    assert SERVERS.remove_entry("  ", KEY) == "  "
    assert SERVERS.remove_entry('{"mcpServers": {} }', KEY) == '{"mcpServers": {} }'


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ("{", "not valid JSON"),
        ('{"a": 1,}', "not valid JSON"),
        ('{"a": 1} // note', "not valid JSON"),
        ('{"a": NaN}', "NaN is not a JSON value"),
        ('{"a": -Infinity}', "-Infinity is not a JSON value"),
        ('{"a": "\t"}', "not valid JSON"),
        ("[]", "not a JSON object"),
        ("null", "not a JSON object"),
        ('{"mcpServers": []}', "not an object"),
        ('{"mcpServers": null}', "not an object"),
        ('{"a":' * 200_000 + "1" + "}" * 200_000, "nested too deeply"),
    ],
    ids=lambda value: value[:20],
)
def test_a_document_that_cannot_be_edited_safely_is_refused(document: str, why: str) -> None:
    with pytest.raises(ServersTextError, match=why):
        SERVERS.set_entry(document, KEY, ENTRY)
    with pytest.raises(ServersTextError, match=why):
        SERVERS.remove_entry(document, KEY)
