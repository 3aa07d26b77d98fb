"""Describe the progress of a batch: a line that is redrawn while it runs, and a summary."""

from __future__ import annotations

from dataclasses import dataclass

from chaojiyuyan_cli._spinner import describe_duration

_BAR = 20  # columns


@dataclass
class Progress:
    """Count the lines of a batch that are done.

    Args:
        total: Number of lines of the input file.
        earlier: Number of lines that earlier runs have finished.
        done: Number of lines that this run has finished.
        failed: Number of failed lines in all runs.
        spent_nc: The price in nc of the jobs of this run.
    """

    total: int
    earlier: int = 0
    done: int = 0
    failed: int = 0
    spent_nc: int = 0

    def describe(self, elapsed: float) -> str:
        """Return the progress as one line.

        Args:
            elapsed: Seconds since the start of the run.
        """
        done = self.earlier + self.done
        share = done / self.total if self.total else 1.0
        bar = "#" * int(share * _BAR)
        rate = self.done / elapsed if elapsed > 0 else 0.0
        parts = [
            f"[{bar:-<{_BAR}}] {share:4.0%}  {done}/{self.total} done",
            f"{self.failed} failed",
            f"{rate:.1f}/s",
        ]
        if rate > 0:
            parts.append(f"{describe_duration((self.total - done) / rate)} left")
        parts.append(f"{self.spent_nc} nc spent")
        return "  ".join(parts)

    def summarize(self, elapsed: float) -> str:
        """Return the result of a run as one line.

        Args:
            elapsed: Seconds that the run took.
        """
        earlier = f" ({self.earlier} in earlier runs)" if self.earlier else ""
        return (
            f"{self.earlier + self.done} of {self.total} lines done{earlier}, {self.failed} failed,"
            f" {self.spent_nc} nc spent, {describe_duration(elapsed)}"
        )
