"""The documentation uses the glossary's terms, and none of the words in scripts/words.py."""

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
"""The index, the glossary itself, and the pages that are not for users."""
GUIDES = sorted(page for page in DOCS.glob("*.md") if page.stem not in INSIDE)
BOLD = re.compile(r"\*\*([^*]+)\*\*")
API_WORDS = (
    *("artifact", "attempt", "award", "base URL", "bid", "capability key", "catalog", "claim"),
    *("envelope", "event", "handler", "heartbeat", "idempotency key", "input", "lease"),
    *("long-poll", "nc", "offer", "output", "profile", "register", "replica", "schema"),
    *("settle", "slot", "spec", "submit", "terminal", "timeout", "webhook"),
)
"""Words that have a special meaning in the API, the command line or the errors."""


def read_glossary() -> str:
    return (DOCS / "glossary.md").read_text(encoding="utf-8")


def read_terms() -> list[str]:
    return re.findall(r"(?m)^## (.+)$", read_glossary())


def read_definitions() -> set[str]:
    """Return the words of the glossary's headings and its bold words, in lower case."""
    words = {word for term in read_terms() for word in re.split(r", | \(|\)", term) if word}
    return {word.lower() for word in (*words, *BOLD.findall(read_glossary()))}


def is_defined(word: str) -> bool:
    """Return whether the glossary has a word, in the singular or in a longer term."""
    singular = re.sub(r"s$", "", word.lower())
    return any(re.search(rf"\b{re.escape(singular)}", found) for found in read_definitions())


def read_introduction(page: Path) -> str:
    return page.read_text(encoding="utf-8").split("\n## ")[0]


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_a_guide_links_to_the_glossary_at_its_start(page: Path) -> None:
    assert "](glossary.md" in read_introduction(page)


def test_every_term_of_the_concepts_is_in_the_glossary() -> None:
    terms = BOLD.findall((DOCS / "concepts.md").read_text(encoding="utf-8"))
    assert len(terms) > 15
    assert not [term for term in terms if not is_defined(term)]


@pytest.mark.parametrize("word", API_WORDS)
def test_a_word_of_the_api_that_a_guide_uses_is_in_the_glossary(word: str) -> None:
    used = re.compile(rf"\b{re.escape(word)}", re.IGNORECASE)
    pages = [page.stem for page in GUIDES if used.search(page.read_text(encoding="utf-8"))]
    assert not pages or is_defined(word), f"{word} is used in {pages} and not in the glossary"


def test_a_link_to_the_glossary_names_a_term() -> None:
    anchors = {re.sub(r"[^\w -]", "", term.lower()).replace(" ", "-") for term in read_terms()}
    links = {
        link
        for page in DOCS.rglob("*.md")
        for link in re.findall(r"\]\((?:\.\./)?glossary\.md#([^)]+)\)", page.read_text("utf-8"))
    }
    assert links <= anchors


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
def test_a_listed_word_is_found(text: str, better: str) -> None:
    ((line, _, instead),) = find_words(f"\n{text}")
    assert line == 2
    assert better in instead


@pytest.mark.parametrize("text", ["from Counter import most_common", "recommended", "a beat"])
def test_a_similar_word_is_not_found(text: str) -> None:
    assert not find_words(text)
