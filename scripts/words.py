"""Find words that readers did not understand, and print which to use instead.

Checks the documentation, the changelogs and the sources of the packages; exits with 1 if there are
any.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = (
    *("*.md", "docs/**/*.md", "examples/*.py"),
    *(f"packages/*/{name}" for name in ("README.md", "CHANGELOG.md", "src/**/*.py")),
)
WORDS = {
    r"beat for|missed beats?": "heartbeat, send a heartbeat",
    r"(what is|jobs?|work) in hand": "running jobs, jobs in flight",
    r"the drain included": "graceful shutdown, drain",
    r"(is|was|ran out|lost|gone) for good": "the lease expired, was lost",
    r"makes? no sense": "invalid, unknown",
    r"(follow|take|gives?|has) none that": "no … that",
    r"mend(s|ed|ing)?": "fix, repair, retry",
    r"anew": "again",
    r"(holds?|held) (a|its|the) (look|poll)|held answers?|holds back": (
        "long-poll: the server waits up to N s"
    ),
    r"(may|must|can) stand still": "timeout",
    r"(only )?(those|jobs|ones) that stand so": "filter by status",
    r"every day's work": "this is normal",
    r"neither at the start|at the start neither|not that either": "subject first, verb second",
    r"(?-i:(LONGEST|LEAST|MOST)_\w*)": "MAX_…, MIN_…",
    r"of one's own": "your own",
    r"of its own making": "generated",
    r"in clear": "unencrypted",
    r"look round": "look around",
    r"hand(s|ed|ing)? in": "pass, submit",
    r"what (came|comes|became|becomes|has become) of": "the result of, the state of",
    r"whatever it is": "any",
    r"(is|are|was|were) told of": "is called with, is notified of",
    r"tak(e|es|en|ing) for granted": "need, assume",
    r"stand(s|ing)? (behind|beside) (it|them)": "is next to, comes after",
    r"whence|thereof|thereby|herein|lest|heed(s|ed)?": "from where, of it, by this, so that … not",
    r"for want of": "without, because there is no",
    r"out of reach": "not available",
    r"beats? (go|goes|went) on": "heartbeats continue",
    r"work(s|ed|ing)? off": "run, process",
    r"whoever": "any user, any program that",
}
"""Each phrase, as a regular expression, and what to write in its place."""

_GAP = r"\s+(?:# )?"  # a line of a text or a comment may end between two words
_ANY = re.compile(
    "|".join(rf"(?P<w{i}>\b(?:{word.replace(' ', _GAP)})\b)" for i, word in enumerate(WORDS)),
    re.IGNORECASE,
)


def find_words(text: str) -> list[tuple[int, str, str]]:
    """Find the words in a text, also where a line break divides them.

    Args:
        text: What to search.

    Returns:
        For each: its line, counted from 1, the words found, and what to write instead.
    """
    instead = list(WORDS.values())
    found = []
    for match in _ANY.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        found.append((line, match[0], instead[int((match.lastgroup or "w0")[1:])]))
    return found


def main() -> None:
    failed = False
    for page in sorted({page for pattern in PAGES for page in ROOT.glob(pattern)}):
        for line, words, better in find_words(page.read_text(encoding="utf-8")):
            print(f"{page.relative_to(ROOT)}:{line}: {words!r}: write {better}")
            failed = True
    sys.exit(failed)


if __name__ == "__main__":
    main()
