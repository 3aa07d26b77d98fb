"""Start time of the command line: whole processes, CPU in ms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .method import Row, cpu_of, in_turn, ours, peer

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = 15


def rows() -> list[Row]:
    new, old = _command(ours()), _command(peer())
    figures = in_turn(
        {
            "version": lambda: cpu_of([new, "version"]),
            "version 0.4.0": lambda: cpu_of([old, "version"]),
            "help": lambda: cpu_of([new, "--help"]),
            "help 0.4.0": lambda: cpu_of([old, "--help"]),
            "command help": lambda: cpu_of([new, "connect", "--help"]),
            "command help 0.4.0": lambda: cpu_of([old, "connect", "--help"]),
            "click": lambda: cpu_of([str(ours()), "-c", "import click"]),
        },
        ROUNDS,
    )
    version, help_page = "chaojiyuyan version, CPU ms", "chaojiyuyan --help, CPU ms"
    command = "chaojiyuyan connect --help, CPU ms"
    return [
        Row(version, figures["version"], figures["click"], "floor: import click", "<= 1.3"),
        Row(version, figures["version"], figures["version 0.4.0"], "0.4.0"),
        Row(help_page, figures["help"], figures["help 0.4.0"], "0.4.0", "<= 0.5"),
        Row(command, figures["command help"], figures["command help 0.4.0"], "0.4.0"),
    ]


def _command(python: Path) -> str:
    return str(python.with_name("chaojiyuyan"))
