"""The Chinese pages are complete: they have all examples, headings and tables of the English."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = ["calling", "local-kernel", "mcp", "quickstart", "working"]
FENCE = re.compile(r"(?ms)^ *(?P<ticks>`{3,})[^\n`]*\n.*?^ *(?P=ticks) *$")


def read_both(page: str) -> tuple[str, str]:
    """Return the English and the Chinese text of a page."""
    english, chinese = (folder / f"{page}.md" for folder in (DOCS, DOCS / "zh"))
    return english.read_text(encoding="utf-8"), chinese.read_text(encoding="utf-8")


def test_the_list_has_all_chinese_pages() -> None:
    assert sorted(page.stem for page in (DOCS / "zh").glob("*.md")) == PAGES


@pytest.mark.parametrize("page", PAGES)
def test_a_chinese_page_has_the_english_examples(page: str) -> None:
    english, chinese = ([match[0] for match in FENCE.finditer(text)] for text in read_both(page))
    assert len(chinese) > 3
    assert chinese == english


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("part", [r"^#+ ", r"^\| ", r"!\[", r"^: "])
def test_a_chinese_page_leaves_nothing_out(page: str, part: str) -> None:
    english, chinese = (
        re.findall(part, FENCE.sub("", text), re.MULTILINE) for text in read_both(page)
    )
    assert chinese == english


@pytest.mark.parametrize("page", [DOCS.parent / "README.zh.md", *(DOCS / "zh").glob("*.md")])
def test_bold_text_ends_where_it_should(page: Path) -> None:
    # CommonMark does not end bold text between full-width punctuation and a letter.
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    assert not re.findall(r"(?m)^(?:- )?\*\*[^*\n]+[。：；！？）]\*\*\S", text)
