"""Where the kernel's state is kept: SQLite through SQLAlchemy Core."""

from .store import Store

__all__ = ["Store"]
