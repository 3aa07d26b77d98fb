"""Worker: pull, run and settle jobs of the chaojiyuyan capability platform."""

from ._version import __version__

__all__ = ["__version__"]
