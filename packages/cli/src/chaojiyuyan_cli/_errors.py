"""The errors that commands raise to show a message to the user."""


class UserError(Exception):
    """An error that the user can fix. The message says how. The exit code is 1."""


class HintedError(Exception):
    """Another error, with a sentence that says what to do.

    Args:
        cause: The error, which determines the exit code.
        hint: The sentence that says what to do.
    """

    def __init__(self, cause: Exception, hint: str) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.hint = hint
