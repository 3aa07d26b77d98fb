from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies as st

from chaojiyuyan_client.tools import tool_name

KEYS = st.one_of(
    st.text(alphabet="ab._-", max_size=8),
    st.text(alphabet="aZ09._- 图é\ud800", max_size=80),
)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("text.digest.v1", "text_digest_v1"),
        ("text_digest.v1", "text__digest_v1"),
        ("Text-Digest", "Text-Digest"),
    ],
)
def test_a_plain_key_stays_readable(key: str, name: str) -> None:
    assert tool_name(key) == name


@pytest.mark.parametrize(
    "key",
    ["", "图像.生成.v1", "a..b", ".a", "a_", "a b", "x" * 65, "kernel.get.job", "kernel_get_job"],
)
def test_another_key_ends_in_a_hash(key: str) -> None:
    assert re.fullmatch(r"[a-zA-Z0-9_-]+___[a-z2-7]{26}", tool_name(key))


@given(KEYS)
def test_the_name_fits_every_model_api(key: str) -> None:
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", tool_name(key))


@given(KEYS, KEYS)
def test_different_keys_have_different_names(one: str, other: str) -> None:
    assert (tool_name(one) == tool_name(other)) == (one == other)


@given(KEYS)
def test_a_name_is_never_that_of_another_key(key: str) -> None:
    name = tool_name(key)
    for guess in {name, name.replace("_", "."), name.replace("__", "_")} - {key}:
        assert tool_name(guess) != name
