"""The chaojiyuyan platform in one local process, to build and test offline."""

from ._version import __version__

__all__ = ["__version__"]
