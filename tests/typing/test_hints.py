"""`typing.get_type_hints` works on all public objects, for frameworks that read annotations."""

from __future__ import annotations

import importlib
import inspect
import typing

import pytest

MODULES = [
    "chaojiyuyan_client",
    "chaojiyuyan_sdk",
    "chaojiyuyan_core.credentials",
    "chaojiyuyan_core.webhooks",
    "chaojiyuyan_core.device_login",
    "chaojiyuyan_core.errors",
    "chaojiyuyan_core.models",
]


def public_callables() -> dict[str, object]:
    found: dict[str, object] = {}
    for name in MODULES:
        module = importlib.import_module(name)
        for exported in getattr(module, "__all__", None) or vars(module):
            value = getattr(module, exported)
            home = getattr(value, "__module__", "")
            if exported.startswith("_") or not str(home).startswith("chaojiyuyan_"):
                continue
            if not hasattr(module, "__path__") and home != name:  # imported from another module
                continue
            if inspect.isfunction(value):
                found[f"{home}.{exported}"] = value
            elif inspect.isclass(value):
                found[f"{home}.{exported}"] = value
                for method in (m for m in dir(value) if not m.startswith("_")):
                    static = inspect.getattr_static(value, method)
                    function = getattr(static, "fget", None) or getattr(static, "__func__", static)
                    if inspect.isfunction(function):
                        found[f"{function.__module__}.{function.__qualname__}"] = function
                if "__init__" in vars(value):
                    found[f"{home}.{exported}.__init__"] = value.__init__
    return found


PUBLIC = public_callables()


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_the_annotations_of_public_objects_are_types(name: str) -> None:
    hints = typing.get_type_hints(PUBLIC[name])
    assert not any(isinstance(hint, (str, typing.ForwardRef)) for hint in hints.values())
