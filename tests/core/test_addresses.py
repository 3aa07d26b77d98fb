from __future__ import annotations

import warnings

import pytest
from hypothesis import given, strategies as st

from chaojiyuyan_core.addresses import (
    DEFAULT_BASE_URL,
    checked_api_key,
    checked_base_url,
    is_loopback,
)
from chaojiyuyan_core.redaction import mask_key, mask_keys


@pytest.mark.parametrize("url", [None, "", "  ", "/"])
def test_a_missing_base_url_is_production(url: str | None) -> None:
    assert checked_base_url(url) == DEFAULT_BASE_URL == "https://pic.chaojiyuyan.com/api/v1"


def test_a_trailing_slash_is_removed() -> None:
    assert checked_base_url(" https://x.example/api/v1// ") == "https://x.example/api/v1"


@pytest.mark.parametrize(
    "url",
    [
        "x.example/api",
        "ftp://x.example",
        "https://",
        "https:///api",
        "https://x.example:port",
        "https://[::1",
        "https://user:secret@x.example",
        "ftp://user:secret@x.example",
        "nxt_ag_a_secret_key",
        "nxt_ag_a_secret_key:8787",
        "https://x.example/?a=b",
        "https://x.example/#a",
        "https://x.example/v1?",
        "https://x.example/v1#",
        "https://x.exa mple",
        "https://x.example/\r\nHost: y",
    ],
)
def test_an_invalid_base_url_is_refused_without_its_secret(url: str) -> None:
    with pytest.raises(ValueError, match="base URL") as caught:
        checked_base_url(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST", "localhost.", "api.localhost", "127.0.0.1"),
        *("127.8.9.10", "[::1]", "[0:0:0:0:0:0:0:1]"),
    ],
)
def test_plain_http_to_this_machine_does_not_warn(host: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert checked_base_url(f"http://{host}:8787/api/v1")


@pytest.mark.parametrize(
    "host",
    [
        *("localhost.evil.com", "127.0.0.1.evil.com", "evil-localhost", "10.0.0.1"),
        *("[::2]", "example.com", "2130706433", "0x7f.1"),
    ],
)
def test_plain_http_to_another_machine_warns(host: str) -> None:
    with pytest.warns(UserWarning, match="plain http"):
        checked_base_url(f"http://{host}:8787/api/v1")


@given(st.text())
def test_is_loopback_accepts_any_host(host: str) -> None:
    assert is_loopback(host) in (True, False)


@pytest.mark.parametrize("key", ["", "  ", "\n", None, 5])
def test_a_missing_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="api_key is empty"):
        checked_api_key(key)


@pytest.mark.parametrize("key", ["nxt_ag_a\r\nX: y", "nxt_ag_a b", "nxt_ag_\x00", "nxt_ag_é"])
def test_a_key_that_no_header_can_contain_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="copy it again") as caught:
        checked_api_key(key)
    assert "nxt_ag_a" not in str(caught.value).replace("(nxt_ag_…)", "")


def test_white_space_around_a_key_is_removed() -> None:
    assert checked_api_key("  nxt_ag_key\t") == "nxt_ag_key"
    assert checked_api_key("nxt_ag_key\r\n") == "nxt_ag_key"


def test_a_masked_key_shows_its_ends_only() -> None:
    assert mask_key("nxt_ag_0123456789secret") == "nxt_…cret"
    assert mask_key("short") == "…"
    assert mask_keys("a nxt_ag_0123456789secret b") == "a nxt_…cret b"
    assert mask_keys("no key") == "no key"
