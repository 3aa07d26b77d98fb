"""The platform's state machine: pure, with the clock and the ids handed in."""

from .errors import Refusal
from .jobs import Rules
from .kernel import Kernel

__all__ = ["Kernel", "Refusal", "Rules"]
