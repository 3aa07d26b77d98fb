"""Helpers for tests of several modules; pytest adds ``tests`` to the path for them."""
