"""What ``scripts/bench`` measures, a module an area, each with ``rows()``."""
