"""Fixtures for tests against the local kernel, loaded by pytest where the package is installed."""
