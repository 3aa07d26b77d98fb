"""The `chaojiyuyan` command as a process: exit codes, and errors as one line.

click and everything else load inside functions, so that Ctrl-C during the start is one line too.
"""

from __future__ import annotations

import io
import os
import sys

from ._exit_codes import EX_API_ERROR, EX_INTERRUPTED, EX_JOB_FAILED, EX_OK, EX_USER_ERROR

TYPE_CHECKING = False  # typing's own costs as much time as the rest of the instant answers
if TYPE_CHECKING:
    from collections.abc import Sequence

    from click import UsageError

    from ._session import Session

__all__ = [
    "EX_API_ERROR",
    "EX_INTERRUPTED",
    "EX_JOB_FAILED",
    "EX_OK",
    "EX_USER_ERROR",
    "main",
    "run",
]

_PROGRAM = "chaojiyuyan"
_COMPLETE = "_CHAOJIYUYAN_COMPLETE"
_HELP: tuple[list[str], ...] = ([], ["-h"], ["--help"])
_VERSION: tuple[list[str], ...] = (["version"], ["--version"])


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
        if _COMPLETE not in os.environ and _answer_instantly(arguments):
            return EX_OK
        from ._session import Session

        session = Session()
        return _invoke(arguments, session)
    except KeyboardInterrupt as interrupt:
        return _report_interrupt(interrupt)
    except (SystemExit, BrokenPipeError):
        raise
    except Exception as error:  # noqa: BLE001  # a user gets one line, whatever it is
        from ._failures import explain

        message, code = explain(error, None if session is None else session.base_url_in_use)
        _report(session, error, message)
        return code


def run() -> int:
    """Run the command as the process's own: the entry point of the console script.

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
        return _report_interrupt(interrupt)
    except BrokenPipeError:
        # The interpreter flushes once more when it exits, and would complain.
        _abandon_output()
        return EX_OK
    except OSError as error:  # such as a full disk
        _abandon_output()
        if code == EX_OK:  # else an error has been reported already
            print(f"Error: standard output: {error.strerror or error}", file=sys.stderr)
        return code or EX_USER_ERROR
    return code


def _open_missing_streams() -> None:
    """Open an empty stream where the process was started with a closed one; Python has None."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115


def _abandon_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _answer_instantly(arguments: list[str]) -> bool:
    """Answer the most frequent questions without click, which takes three times what Python does.

    Returns:
        Whether the arguments were such a question.
    """
    if arguments in _VERSION:
        from . import _versions

        print(_versions.describe_sdk())
        return True
    if arguments in _HELP:
        from ._help_page import PAGE

        print(PAGE)
        return True
    return False


def _invoke(arguments: list[str], session: Session) -> int:
    import click

    from ._group import cli

    if _COMPLETE in os.environ:  # the shell asks for completions
        return _complete(arguments)
    try:
        with (
            session.show_warnings_as_lines(),
            cli.make_context(_PROGRAM, arguments, obj=session) as context,
        ):
            code = cli.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.UsageError as error:
        _show_usage(error, session)
        raise SystemExit(error.exit_code) from None
    return code if isinstance(code, int) else EX_OK


def _complete(arguments: list[str]) -> int:
    """Answer the shell, and print nothing else: it would end up on the command line."""
    import warnings

    from ._group import cli

    warnings.simplefilter("ignore")
    try:
        cli.main(arguments, prog_name=_PROGRAM, complete_var=_COMPLETE)
    except Exception:  # noqa: BLE001
        return EX_USER_ERROR
    return EX_OK


def _show_usage(error: UsageError, session: Session) -> None:
    from ._output import escape

    shown = io.StringIO()
    error.show(file=shown)  # it quotes what was typed, which may be a key in a wrong place
    print(escape(session.mask(shown.getvalue()), keep="\n"), end="", file=sys.stderr)


def _report_interrupt(interrupt: KeyboardInterrupt) -> int:
    after_echo = "\n" if sys.stderr.isatty() else ""  # a terminal has just shown ^C
    print(f"{after_echo}Interrupted. {interrupt}".rstrip(), file=sys.stderr)
    return EX_INTERRUPTED


def _report(session: Session | None, error: Exception, message: str) -> None:
    print(message if session is None else session.mask(message), file=sys.stderr)
    if session is not None and session.debug:
        import traceback

        from ._output import escape

        text = "".join(traceback.format_exception(error))
        print(escape(session.mask(text), keep="\n"), file=sys.stderr)
