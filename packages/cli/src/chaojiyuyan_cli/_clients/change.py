"""A change to an MCP client: shown first, then agreed to, then made."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True)
class Applied:
    """What a change has done.

    Args:
        lines: What to tell the user.
        backup: The copy of what the file held before; None when nothing was copied.
    """

    lines: list[str]
    backup: Path | None = None


@dataclass(frozen=True)
class Change:
    """A change that has not been made yet.

    Args:
        needed: Whether anything differs from what is there.
        preview: What will change, without secrets; empty when nothing does.
        question: The question to ask before it is made.
        unchanged: What to say when nothing differs.
        declined: What to say when the answer is no.
        apply: Makes the change.
    """

    needed: bool
    preview: str
    question: str
    unchanged: str
    declined: str
    apply: Callable[[], Applied]


class Outcome(Enum):
    """What became of a change."""

    UNCHANGED = "unchanged"
    PREVIEWED = "previewed"
    DECLINED = "declined"
    APPLIED = "applied"


@dataclass(frozen=True)
class Dialogue:
    """How changes are shown and agreed to.

    Args:
        interactive: Whether to print anything and to ask.
        yes: Whether to make the change without showing it and asking.
        dry_run: Whether to show the change and not make it.
        print_fn: Called with each text to show.
        input_fn: Called with the question; EOFError counts as a no.
    """

    interactive: bool = True
    yes: bool = False
    dry_run: bool = False
    print_fn: Callable[[str], None] = print
    input_fn: Callable[[str], str] = input

    def carry_out(self, change: Change) -> tuple[Outcome, Path | None]:
        """Show a change, ask, and make it.

        Args:
            change: The change.

        Returns:
            What became of it, and the backup that it made.
        """
        if not change.needed:
            self.say(change.unchanged)
            return Outcome.UNCHANGED, None
        if self.dry_run or not self.yes:
            self.say(change.preview)
        if self.dry_run:
            return Outcome.PREVIEWED, None
        if self.interactive and not self.yes and not self.ask(change.question):
            self.say(change.declined)
            return Outcome.DECLINED, None
        applied = change.apply()
        for line in applied.lines:
            self.say(line)
        return Outcome.APPLIED, applied.backup

    def say(self, text: str) -> None:
        """Show a text, if this dialogue shows any.

        Args:
            text: One or more lines.
        """
        if self.interactive:
            self.print_fn(text)

    def ask(self, question: str) -> bool:
        """Ask a question, and return whether the answer is yes.

        Args:
            question: Without the hint at the answers.
        """
        try:
            return self.input_fn(f"{question} [y/N] ").strip().lower() in {"y", "yes"}
        except EOFError:
            return False
