"""The operations of the API: what each is called, takes, gives, and what runs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from pydantic import BaseModel

    from .exchange import Answer, Exchange

Handler: TypeAlias = "Callable[[Exchange], Awaitable[Answer]]"
HandlerT = TypeVar("HandlerT", bound=Handler)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. The OpenAPI document is made from this, and the requests are routed by it.

    Args:
        name: its name, also for faults.
        method: the HTTP method.
        path: the path below the base URL, with parameters in braces.
        handler: runs it; its docstring is the description.
        answers: the type of ``data`` by HTTP status of success.
        refusals: the codes that it may refuse with, by HTTP status.
        body: the model of its body, None without.
        query: the model of its query, None without.
        open: whether it needs no key.
        waits: whether it honours ``Prefer: wait``.
        assumed: what of it the platform's documentation does not say.
    """

    name: str
    method: str
    path: str
    handler: Handler
    answers: dict[int, Any]
    refusals: Mapping[int, tuple[str, ...]]
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    open: bool = False
    waits: bool = False
    assumed: str = ""


class Operations:
    """A list of operations, filled by decorators."""

    def __init__(self) -> None:
        self.all: list[Operation] = []

    def add(
        self,
        name: str,
        method: str,
        path: str,
        answers: dict[int, Any],
        refusals: Mapping[int, tuple[str, ...]],
        **more: Any,
    ) -> Callable[[HandlerT], HandlerT]:
        """Make the decorated function an operation; see ``Operation``."""

        def decorate(handler: HandlerT) -> HandlerT:
            self.all.append(Operation(name, method, path, handler, answers, refusals, **more))
            return handler

        return decorate


class Routes:
    """Finds the operation of a path: by its literal parts first, then by parameter."""

    def __init__(self, operations: list[Operation]) -> None:
        self._exact: dict[str, dict[str, Operation]] = {}
        self._by_parts: dict[tuple[str, ...], tuple[str, dict[str, Operation]]] = {}
        for operation in operations:
            first, _, rest = operation.path.partition("{")
            if not rest:
                self._exact.setdefault(operation.path, {})[operation.method] = operation
                continue
            parameter, _, last = rest.partition("}")
            methods = self._by_parts.setdefault((first, last), (parameter, {}))[1]
            methods[operation.method] = operation

    def find(self, path: str) -> tuple[dict[str, Operation], dict[str, str]]:
        """The operations of a path by method, and the path's parameters; none for no such path."""
        exact = self._exact.get(path)
        if exact is not None:
            return exact, {}
        # every path with a parameter has one, as its second part
        head, slash, tail = path[1:].partition("/")
        value, more, last = tail.partition("/")
        found = self._by_parts.get((f"/{head}{slash}", more + last))
        if found is None or not value:
            return {}, {}
        return found[1], {found[0]: value}
