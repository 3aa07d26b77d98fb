"""Show a change to an MCP client, ask the user, and apply it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True)
class Applied:
    """The result of an applied change.

    Args:
        lines: The lines to show to the user.
        backup: The path of the backup of the file, or None when there is no backup.
    """

    lines: list[str]
    backup: Path | None = None


@dataclass(frozen=True)
class Change:
    """A change that has not been applied yet.

    Args:
        needed: Whether the present state differs from the wanted one.
        preview: The difference, without secrets; empty when there is none.
        question: The question to ask before the change is applied.
        unchanged: The text to show when no change is needed.
        declined: The text to show when the user answers no.
        apply: Applies the change.
    """

    needed: bool
    preview: str
    question: str
    unchanged: str
    declined: str
    apply: Callable[[], Applied]


class Outcome(Enum):
    """The outcome of a change."""

    UNCHANGED = "unchanged"
    PREVIEWED = "previewed"
    DECLINED = "declined"
    APPLIED = "applied"


@dataclass(frozen=True)
class Dialogue:
    """Shows changes to the user and asks for confirmation.

    Args:
        interactive: Whether to print and to ask at all.
        yes: Whether to apply the change without showing it or asking.
        dry_run: Whether to show the change without applying it.
        print_fn: Called with each text to show.
        input_fn: Called with the question. EOFError counts as the answer no.
    """

    interactive: bool = True
    yes: bool = False
    dry_run: bool = False
    print_fn: Callable[[str], None] = print
    input_fn: Callable[[str], str] = input

    def carry_out(self, change: Change) -> tuple[Outcome, Path | None]:
        """Show a change, ask for confirmation, and apply it.

        Args:
            change: The change.

        Returns:
            The outcome, and the path of the backup, or None when there is no backup.
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
        """Show a text when the dialogue is interactive.

        Args:
            text: One or more lines.
        """
        if self.interactive:
            self.print_fn(text)

    def ask(self, question: str) -> bool:
        """Ask a question, and return whether the answer is yes.

        Args:
            question: The question, without the hint ``[y/N]``.
        """
        try:
            return self.input_fn(f"{question} [y/N] ").strip().lower() in {"y", "yes"}
        except EOFError:
            return False
