"""Observability of a worker: health, probes, logs, traces and metrics."""
