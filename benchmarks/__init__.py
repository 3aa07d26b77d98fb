"""The benchmarks of ``scripts/bench``, a module with ``rows()`` per area; and the soak test."""
