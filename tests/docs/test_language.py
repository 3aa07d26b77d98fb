"""The documentation uses the glossary's terms, and none of the words that readers stumbled over."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from words import find_words

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
INSIDE = {
    *("architecture", "benchmarks", "changelog", "contributing", "index", "releasing"),
    *("walkthrough", "DESIGN-PR3-mcp-json-writer", "DESIGN-PR4-mcp-stdio-server", "glossary"),
}
"""The pages that are not for users, the index and the glossary itself."""
GUIDES = sorted(page for page in DOCS.glob("*.md") if page.stem not in INSIDE)


def read_terms() -> list[str]:
    glossary = (DOCS / "glossary.md").read_text(encoding="utf-8")
    return re.findall(r"(?m)^## (.+)$", glossary)


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_a_guide_links_to_the_glossary(page: Path) -> None:
    assert "](glossary.md" in page.read_text(encoding="utf-8")


def test_the_glossary_is_sorted() -> None:
    terms = [term.lower() for term in read_terms()]
    assert len(terms) > 20
    assert terms == sorted(terms)


@pytest.mark.parametrize("term", read_terms())
def test_a_term_of_the_glossary_is_used(term: str) -> None:
    words = "|".join(map(re.escape, re.split(r", | \(|\)", term.lower()))).strip("|")
    used = re.compile(rf"\b(?:{words})", re.IGNORECASE)
    assert any(used.search(page.read_text(encoding="utf-8")) for page in GUIDES)


@pytest.mark.parametrize(
    ("text", "better"),
    [
        ("Say how to mend it.", "fix"),
        ("The jobs\n    # in hand are finished.", "running jobs"),
        ("Only jobs that stand so", "filter by status"),
        ("LEAST_INTERVAL = 1.0", "MIN_"),
        ("It is lost\nfor good", "lost"),
    ],
)
def test_such_a_word_is_found(text: str, better: str) -> None:
    ((line, _, instead),) = find_words(f"\n{text}")
    assert line == 2
    assert better in instead


@pytest.mark.parametrize("text", ["from Counter import most_common", "recommended", "a beat"])
def test_a_similar_word_is_not_found(text: str) -> None:
    assert not find_words(text)
