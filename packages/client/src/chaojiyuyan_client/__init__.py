"""NexusClient: post jobs to the chaojiyuyan capability platform and get their output."""

from ._version import __version__

__all__ = ["__version__"]
