"""The `chaojiyuyan` command as a process: exit codes, and errors as one line.

click and all else load inside, so that Ctrl-C during the start is one line as well.
"""

from __future__ import annotations

import io
import os
import sys

TYPE_CHECKING = False  # typing's own costs as much time as the rest of the instant answers
if TYPE_CHECKING:
    from collections.abc import Sequence

    from click import UsageError

    from .session import Session

EX_OK = 0
"""All is well."""

EX_USER_ERROR = 1
"""Something on this side: no credentials, a file that cannot be read, input that is not JSON."""

EX_API_ERROR = 2
"""The platform refused or cannot be reached, a wait timed out, or the usage is wrong."""

EX_JOB_FAILED = 3
"""The job ended other than succeeded."""

EX_INTERRUPTED = 130
"""Ctrl-C."""

_PROGRAM = "chaojiyuyan"
_COMPLETE = "_CHAOJIYUYAN_COMPLETE"
_INSTANT: tuple[list[str], ...] = ([], ["-h"], ["--help"], ["version"])


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The arguments, those of the process by default.

    Returns:
        The exit code.

    Raises:
        SystemExit: The usage is wrong; the code is 2.
        BrokenPipeError: Nobody reads the output any more.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    session: Session | None = None
    try:
        if arguments in _INSTANT and _COMPLETE not in os.environ:
            return _answer_instantly(arguments)
        from .session import Session

        session = Session()
        return _invoke(arguments, session)
    except KeyboardInterrupt as interrupt:
        return _interrupted(interrupt)
    except (SystemExit, BrokenPipeError):
        raise
    except Exception as error:  # noqa: BLE001  # whatever it is, a user gets one line
        from .failures import explain

        message, code = explain(error)
        _tell(session, error, message)
        return code


def run() -> int:
    """Run the command as the process's own: the console script's entry point.

    Returns:
        The exit code.
    """
    _open_missing_streams()
    for stream in (sys.stdout, sys.stderr):
        # A character that the terminal's encoding lacks is shown escaped instead of failing.
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
    code = EX_OK
    try:
        code = main()
        sys.stdout.flush()
    except KeyboardInterrupt as interrupt:
        return _interrupted(interrupt)
    except BrokenPipeError:
        # The interpreter flushes once more at its end, and would complain.
        _abandon_output()
        return EX_OK
    except OSError as error:  # such as a full disk
        _abandon_output()
        if code == EX_OK:  # else a line has been said already
            print(f"Error: standard output: {error.strerror or error}", file=sys.stderr)
        return code or EX_USER_ERROR
    return code


def _open_missing_streams() -> None:
    """Put an empty stream where the process was started with one closed; Python has None there."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115


def _abandon_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _answer_instantly(arguments: list[str]) -> int:
    """Answer what is asked most without loading click, which takes three times what Python does."""
    if arguments == ["version"]:
        from . import versions

        print(versions.current())
    else:
        from . import overview

        print(overview.page())
    return EX_OK


def _invoke(arguments: list[str], session: Session) -> int:
    import click

    from .group import cli

    if _COMPLETE in os.environ:  # the shell asks what may come next
        cli.main(arguments, prog_name=_PROGRAM, complete_var=_COMPLETE)
    try:
        with (
            session.warnings_as_lines(),
            cli.make_context(_PROGRAM, arguments, obj=session) as context,
        ):
            code = cli.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.UsageError as error:
        _show_usage(error, session)
        raise SystemExit(error.exit_code) from None
    return code if isinstance(code, int) else EX_OK


def _show_usage(error: UsageError, session: Session) -> None:
    from .output import escaped

    shown = io.StringIO()
    error.show(file=shown)  # it quotes what was typed: a key in a wrong place, maybe
    print(escaped(session.masked(shown.getvalue()), keep="\n"), end="", file=sys.stderr)


def _interrupted(interrupt: KeyboardInterrupt) -> int:
    after_echo = "\n" if sys.stderr.isatty() else ""  # a terminal has just shown ^C
    print(f"{after_echo}Interrupted. {interrupt}".rstrip(), file=sys.stderr)
    return EX_INTERRUPTED


def _tell(session: Session | None, error: Exception, message: str) -> None:
    print(message if session is None else session.masked(message), file=sys.stderr)
    if session is not None and session.debug:
        import traceback

        from .output import escaped

        text = "".join(traceback.format_exception(error))
        print(escaped(session.masked(text), keep="\n"), file=sys.stderr)
