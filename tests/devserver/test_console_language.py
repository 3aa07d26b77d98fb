"""The console's languages: complete catalogs, and the browser's choice."""

from __future__ import annotations

import re
from importlib import resources
from string import Formatter
from typing import TYPE_CHECKING

import pytest
from markupsafe import Markup

from chaojiyuyan_devserver import _console
from chaojiyuyan_devserver._console.explain import CAUSES
from chaojiyuyan_devserver._console.language import CHINESE, ENGLISH, choose_language
from chaojiyuyan_devserver._faults import PRESETS

if TYPE_CHECKING:
    from .conftest import PlainBrowser

PAGES = ("/", "/jobs", "/catalog", "/workers", "/keys", "/webhooks", "/balances", "/simulate")


def places(message: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(message) if name is not None}


def tags(message: str) -> list[str]:
    return sorted(re.findall(r"<[^>]*>", message))


def sources() -> str:
    folder = resources.files(_console)
    files = [*folder.iterdir(), *folder.joinpath("templates").iterdir()]
    return "\n".join(f.read_text() for f in files if f.name.endswith((".py", ".html")))


def test_the_catalogs_have_the_same_keys_and_placeholders() -> None:
    assert ENGLISH.messages.keys() == CHINESE.messages.keys()
    for key, message in ENGLISH.messages.items():
        assert places(message) == places(CHINESE.messages[key]), key
        assert tags(message) == tags(CHINESE.messages[key]), key


# the uses in templates and modules: t("key"), language.count("key", …), t("group." ~ word)
ASKED = re.compile(r"""\b(?:t|language|said)(?:\.(?:count|name))?\(\s*f?"([^"{]+)(["{])(\s~)?""")


def test_every_message_exists_and_is_used() -> None:
    whole: set[str] = set()
    groups: set[str] = set()
    text = sources()
    for key, end, joined in ASKED.findall(text):
        if end == "{" or joined or f"{key}.other" in ENGLISH.messages or key.endswith("."):
            groups.add(key)
        elif any(known.startswith(f"{key}.") for known in ENGLISH.messages):
            groups.add(f"{key}.")  # t.name("status", word)
            whole |= {key} & ENGLISH.messages.keys()
        else:
            whole.add(key)
    assert len(whole) > 100
    assert whole <= ENGLISH.messages.keys()
    groups |= {f"{group}." for group in re.findall(r'badge\([^,)]+, "(\w+)"\)', text)}
    for key in ENGLISH.messages.keys() - whole:
        assert key.startswith(tuple(groups)) or f'"{key}"' in text, f"{key} is never shown"


def test_each_cause_and_preset_is_explained() -> None:
    for cause in CAUSES:
        assert f"cause.{cause}.what" in ENGLISH.messages
    for preset in PRESETS:
        assert f"simulate.preset.{preset}" in ENGLISH.messages


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"),
        ("zh-TW", "zh-Hans"),
        ("en-GB,en;q=0.9,zh;q=0.8", "en"),
        ("fr, zh;q=0.5", "zh-Hans"),
        ("en;q=0.2, ZH ; q=0.4", "zh-Hans"),
        ("zh;q=0", "en"),
        ("zh;q=nonsense, de", "en"),
        ("*", "en"),
    ],
)
def test_the_browser_chooses_the_language(header: str, code: str) -> None:
    assert choose_language(header).code == code


def test_values_in_messages_are_escaped() -> None:
    text = ENGLISH("keys.key_of", name="<script>{0}")
    assert text == Markup("The key of <bdi>&lt;script&gt;{0}</bdi>")


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_served_in_chinese(browser: PlainBrowser, path: str) -> None:
    page = browser.get(path, headers={"Accept-Language": "zh-CN,zh;q=0.9"})
    assert page.headers["content-language"] == "zh-Hans"
    assert '<html lang="zh-Hans"' in page.text
    # the title and the headings
    for heading in re.findall(r"<(?:title|h1|h2)[^>]*>([^<]+)<", page.text):
        assert re.search(r"[\u4e00-\u9fff]|Webhook|Echo|echo|digest|Image", heading), heading
    assert "没有这个页面" in browser.get("/x", headers={"Accept-Language": "zh"}).text
