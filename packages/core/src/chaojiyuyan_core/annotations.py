"""Names for annotations, so that ``typing.get_type_hints`` works at run time without slow imports.

An annotation is a string until its type is requested. The names in it are then looked up in the
module. For a module that is slow to import, the name is a :class:`LazyModule`.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

if sys.version_info >= (3, 11):
    from typing import Self, Unpack
else:
    from typing_extensions import Self, Unpack

__all__ = ["LazyModule", "Self", "Unpack", "futures", "httpx", "os", "pathlib", "uuid"]


class LazyModule(ModuleType):
    """A placeholder that imports a module when an attribute of it is used.

    Args:
        name: The full name of the module.
    """

    def __getattr__(self, attribute: str) -> Any:
        """Return an attribute of the module."""
        return getattr(import_module(self.__name__), attribute)


futures = LazyModule("concurrent.futures")
httpx = LazyModule("httpx")
os = LazyModule("os")
pathlib = LazyModule("pathlib")
uuid = LazyModule("uuid")
