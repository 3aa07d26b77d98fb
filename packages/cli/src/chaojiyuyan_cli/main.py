"""The `chaojiyuyan` command as a process: exit codes, and errors as one line.

Functions import click and everything else, so that Ctrl-C during an import also shows one line.
"""

from __future__ import annotations

import io
import os
import sys

from ._exit_codes import EX_API_ERROR, EX_INTERRUPTED, EX_JOB_FAILED, EX_OK, EX_USER_ERROR

TYPE_CHECKING = False  # importing typing would take as long as the rest of an instant answer
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
        argv: The arguments. By default, the arguments of the process.

    Returns:
        The exit code.

    Raises:
        SystemExit: The usage is wrong. The exit code is 2.
        BrokenPipeError: The reader of the output has closed it.
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
    except Exception as error:  # noqa: BLE001  # every error becomes one line
        from ._failures import explain

        message, code = explain(error, None if session is None else session.base_url_in_use)
        _report(session, error, message)
        return code


def run() -> int:
    """Run the command as the entry point of the console script.

    Returns:
        The exit code.
    """
    _open_missing_streams()
    for stream in (sys.stdout, sys.stderr):
        # Escape characters that the encoding of the terminal lacks, instead of failing.
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
    code = EX_OK
    try:
        code = main()
        sys.stdout.flush()
    except KeyboardInterrupt as interrupt:
        return _report_interrupt(interrupt)
    except BrokenPipeError:
        # The interpreter flushes again at exit and would report the error.
        _abandon_output()
        return EX_OK
    except OSError as error:  # such as a full disk
        _abandon_output()
        if code == EX_OK:  # otherwise an error was already reported
            print(f"Error: standard output: {error.strerror or error}", file=sys.stderr)
        return code or EX_USER_ERROR
    return code


def _open_missing_streams() -> None:
    """Replace streams that were closed at the start of the process, which are None in Python."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115


def _abandon_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _answer_instantly(arguments: list[str]) -> bool:
    """Answer ``--help`` and ``--version`` without click, whose import dominates the time.

    Returns:
        Whether the arguments were one of these.
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
        _show_usage(error)
        raise SystemExit(error.exit_code) from None
    return code if isinstance(code, int) else EX_OK


def _complete(arguments: list[str]) -> int:
    """Answer the shell. Print nothing else, because it would appear on the command line."""
    import warnings

    from ._group import cli

    warnings.simplefilter("ignore")
    try:
        cli.main(arguments, prog_name=_PROGRAM, complete_var=_COMPLETE)
    except Exception:  # noqa: BLE001
        return EX_USER_ERROR
    return EX_OK


def _show_usage(error: UsageError) -> None:
    from chaojiyuyan_core.redaction import mask_keys

    from ._output import escape

    shown = io.StringIO()
    error.show(file=shown)  # it quotes the arguments, which may contain a key
    print(escape(mask_keys(shown.getvalue()), keep="\n"), end="", file=sys.stderr)


def _report_interrupt(interrupt: KeyboardInterrupt) -> int:
    after_echo = "\n" if sys.stderr.isatty() else ""  # the terminal has just shown ^C
    print(f"{after_echo}Interrupted. {interrupt}".rstrip(), file=sys.stderr)
    return EX_INTERRUPTED


def _report(session: Session | None, error: Exception, message: str) -> None:
    print(message, file=sys.stderr)
    if session is not None and session.debug:
        import traceback

        from chaojiyuyan_core.redaction import mask_keys

        from ._output import escape

        text = "".join(traceback.format_exception(error))
        print(escape(mask_keys(text), keep="\n"), file=sys.stderr)
