"""The module path of 0.4.0; the names are in :mod:`chaojiyuyan_core.errors`."""

from chaojiyuyan_core.errors import *  # noqa: F403  (all exceptions)
