"""What ``scripts/bench`` measures, one module per area, each with ``rows()``; and the soak test."""
