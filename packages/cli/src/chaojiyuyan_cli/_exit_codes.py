"""The exit codes of every command."""

EX_OK = 0
"""The command succeeded."""

EX_USER_ERROR = 1
"""The cause is local, for example missing credentials, an unreadable file or invalid JSON."""

EX_API_ERROR = 2
"""The platform refused or cannot be reached, a wait timed out, or the usage is wrong."""

EX_JOB_FAILED = 3
"""A job ended with a status other than ``succeeded``."""

EX_INTERRUPTED = 130
"""The user pressed Ctrl-C."""
