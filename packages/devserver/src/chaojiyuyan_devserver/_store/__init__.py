"""Storage of the kernel's state in SQLite."""
