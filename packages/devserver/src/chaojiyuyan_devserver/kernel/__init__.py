"""The platform's state machine, without I/O; the clock and the ids are passed in.

It never reads a clock, a file or a socket, so a simulation can run it in virtual time:

    now = 0.0
    kernel = Kernel(Catalog([Spec("test.echo.v1", price_nc=1)]), clock=lambda: now)
    caller, _ = kernel.create_agent(kernel.open_account("caller", 100).id, "caller")
    job = kernel.jobs.create(caller, Order("test.echo.v1"))
"""

from .catalog import Catalog, Spec
from .errors import Refusal
from .kernel import Kernel, State
from .records import Order, Result
from .rules import Rules

__all__ = ["Catalog", "Kernel", "Order", "Refusal", "Result", "Rules", "Spec", "State"]
