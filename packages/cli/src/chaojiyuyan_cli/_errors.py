"""The errors that commands raise for a person to read."""


class UserError(Exception):
    """The cause is on the user's side. The message says what to do. Exit code 1."""


class HintedError(Exception):
    """Another error, with a sentence that says what to do.

    Args:
        cause: The error, which decides about the exit code.
        hint: The sentence.
    """

    def __init__(self, cause: Exception, hint: str) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.hint = hint
