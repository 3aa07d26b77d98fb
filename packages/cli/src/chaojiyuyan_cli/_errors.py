"""The error that a command raises for something that the user can repair."""


class UserError(Exception):
    """The cause is on the user's side. The message says what to do. Exit code 1."""
