"""How a worker is observed: health, probes, logs, traces and metrics."""
