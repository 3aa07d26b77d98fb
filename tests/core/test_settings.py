from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest

from chaojiyuyan_core.addresses import DEFAULT_BASE_URL
from chaojiyuyan_core.credentials import save_credentials
from chaojiyuyan_core.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

LOCAL = "http://127.0.0.1:8787/api/v1"
OTHER = "http://127.0.0.1:9999/api/v1"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "credentials"
    save_credentials("nxt_ag_saved", base_url=LOCAL, profile="default", path=path)
    save_credentials("nxt_ag_work", profile="work", path=path)
    return path


def test_a_key_of_the_environment_uses_its_base_url(path: Path) -> None:
    environ = {"CHAOJIYUYAN_API_KEY": "nxt_ag_env", "HEBING_BASE_URL": OTHER + "/"}
    found = load_settings(environ=environ, path=path)
    assert (found.api_key, found.base_url) == ("nxt_ag_env", OTHER)
    assert (found.key_source, found.base_url_source) == ("CHAOJIYUYAN_API_KEY", "HEBING_BASE_URL")
    assert "nxt_ag" not in repr(found)


def test_the_first_variable_that_is_not_blank_is_used(path: Path) -> None:
    environ = {"NEXUS_API_KEY": "c", "HEBING_API_KEY": "b", "CHAOJIYUYAN_API_KEY": "  "}
    assert load_settings(environ=environ, path=path).key_source == "HEBING_API_KEY"
    del environ["HEBING_API_KEY"]
    found = load_settings(environ={**environ, "NEXUS_BASE_URL": OTHER}, path=path)
    assert (found.api_key, found.base_url) == ("c", OTHER)
    assert load_settings(environ=environ, path=path).base_url == DEFAULT_BASE_URL


def test_without_a_key_in_the_environment_the_file_is_used(path: Path) -> None:
    found = load_settings(environ={}, path=path)
    assert (found.api_key, found.base_url) == ("nxt_ag_saved", LOCAL)
    found = load_settings(environ={"CHAOJIYUYAN_PROFILE": "work"}, path=path)
    assert (found.api_key, found.base_url) == ("nxt_ag_work", DEFAULT_BASE_URL)
    found = load_settings(profile="work", environ={"HEBING_BASE_URL": OTHER}, path=path)
    assert (found.api_key, found.base_url) == ("nxt_ag_work", OTHER)


def test_an_unused_base_url_of_the_environment_warns(path: Path) -> None:
    with pytest.warns(UserWarning, match=r"9999.* is not used.*8787"):
        assert load_settings(environ={"HEBING_BASE_URL": OTHER}, path=path).base_url == LOCAL
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_settings(environ={"HEBING_BASE_URL": LOCAL + "/"}, path=path)


def test_prefer_environment_url_uses_the_environments_url(path: Path) -> None:
    environ = {"HEBING_BASE_URL": OTHER}
    with pytest.warns(UserWarning, match="receives the key of profile default") as warned:
        found = load_settings(environ=environ, path=path, prefer_environment_url=True)
    assert (found.base_url, found.base_url_source) == (OTHER, "HEBING_BASE_URL")
    assert len(warned) == 1


def test_explicit_arguments_win(path: Path) -> None:
    environ = {"CHAOJIYUYAN_API_KEY": "nxt_ag_env", "HEBING_BASE_URL": OTHER}
    explicit = "https://x.example"
    assert load_settings(base_url=explicit, environ=environ, path=path).base_url == explicit
    found = load_settings(profile="work", prefer_profile=True, environ=environ, path=path)
    assert found.api_key == "nxt_ag_work"
    found = load_settings(base_url=explicit, environ={"HEBING_BASE_URL": OTHER}, path=path)
    assert (found.api_key, found.base_url) == ("nxt_ag_saved", explicit)


def test_missing_credentials_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^No chaojiyuyan credentials found"):
        load_settings(environ={}, path=tmp_path / "none")
