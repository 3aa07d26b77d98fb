"""``python -m chaojiyuyan_devserver``: the local kernel as a process."""

import sys
from collections.abc import Sequence

from ._commands import COMMANDS, run_command
from ._options import parse_options


def main(argv: Sequence[str] | None = None) -> int:
    """Run the local kernel until SIGTERM or SIGINT, or send a command to a running one.

    Args:
        argv: The arguments, by default those of the process. If the first one is ``trigger``,
            ``skip`` or ``snapshot``, it is a command for a running kernel.

    Returns:
        The exit code: 0 after a signal, 1 if the kernel cannot start or the command fails.

    Raises:
        SystemExit: With 2, if the arguments are not valid.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments and arguments[0] in COMMANDS:
        return run_command(arguments)
    options = parse_options(arguments)
    from ._server import serve  # imported late: it loads the whole server

    return serve(options)


if __name__ == "__main__":
    raise SystemExit(main())
