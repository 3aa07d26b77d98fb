"""What annotations name, so that ``typing.get_type_hints`` finds it at run time, at no cost before.

An annotation is a text until somebody asks for its type; the names in it are then looked up in the
module. A module that is too slow to import for a name alone stands there as a :class:`LazyModule`.
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
    """Stands for a module, and imports it when something of it is needed.

    Args:
        name: The module's full name.
    """

    def __getattr__(self, attribute: str) -> Any:
        """Return what the module has under that name."""
        return getattr(import_module(self.__name__), attribute)


futures = LazyModule("concurrent.futures")
httpx = LazyModule("httpx")
os = LazyModule("os")
pathlib = LazyModule("pathlib")
uuid = LazyModule("uuid")
