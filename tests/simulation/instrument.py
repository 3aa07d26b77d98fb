"""Loads the worker's modules with a point before every statement, and with planted bugs.

At a point the scheduler may run another thread, which also tests interleavings between locks and
waits. The points record which lines were reached. They are inserted into the source instead of
using a trace function, so they are the same on every Python and work with greenlets.
"""

from __future__ import annotations

import ast
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, ModuleType

    from .scheduler import Scheduler

INSTRUMENTED = (
    "chaojiyuyan_worker",
    "chaojiyuyan_core.answers",
    "chaojiyuyan_core.submission",
    "chaojiyuyan_client.waiting",
    "chaojiyuyan_core.http._flow",
)
"""The packages and modules that get points."""

POINT = "__simulation_point__"


class Points:
    """The points of the instrumented modules.

    Attributes:
        places: The module and line of each point.
        reached: Which points were reached.
    """

    def __init__(self) -> None:
        self.places: list[tuple[str, int]] = []
        self.reached = bytearray()
        self._scheduler: Scheduler | None = None
        self._likelihood = 0.0

    def activate(self, scheduler: Scheduler | None, likelihood: float = 0.0) -> None:
        """Set the scheduler that may interrupt threads at the points; None for no interrupts."""
        self._scheduler = scheduler
        self._likelihood = likelihood

    def add(self, module: str, line: int) -> int:
        """Return the number of a new point."""
        self.places.append((module, line))
        self.reached.append(0)
        return len(self.places) - 1

    def pass_by(self, number: int) -> None:
        """Record that a point was reached, and run another thread with some probability."""
        self.reached[number] = 1
        scheduler = self._scheduler
        if scheduler is None or not self._likelihood:
            return
        thread = scheduler.current
        if thread is not None and thread.glet is getcurrent() and thread.process.alive:
            scheduler.interrupt_at_statement(self._likelihood)

    def coverage(self) -> tuple[int, int]:
        """Return the number of points that were reached, and the number of all points."""
        return sum(self.reached), len(self.reached)

    def missing(self) -> dict[str, list[int]]:
        """Return the lines that no run reached, by module."""
        lines: dict[str, list[int]] = {}
        for (module, line), reached in zip(self.places, self.reached, strict=True):
            if not reached:
                lines.setdefault(module, []).append(line)
        return lines


POINTS = Points()


class Plant:
    """A bug to plant.

    Args:
        name: A short description of the bug.
        module: The module to change.
        old: A text that occurs exactly once in the module's source.
        new: The replacement for ``old``.
        seed: The first seed whose world shows the bug, so that the test finds it quickly.
    """

    def __init__(self, name: str, module: str, old: str, new: str, *, seed: int = 0) -> None:
        self.name = name
        self.seed = seed
        self.module = module
        self.old = old
        self.new = new

    def apply(self, source: str) -> str:
        """Return the source with the bug.

        Raises:
            LookupError: ``old`` does not occur exactly once. The worker has changed, so the
                plant must be updated.
        """
        if source.count(self.old) != 1:
            raise LookupError(
                f"plant {self.name!r}: its text stands {source.count(self.old)} times"
                f" in {self.module}"
            )
        return source.replace(self.old, self.new)


class _Inserter(ast.NodeTransformer):
    """Puts a point before every statement of every function."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._depth = 0

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._enter(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._enter(node)

    def _enter(self, node: Any) -> ast.AST:
        self._depth += 1
        self.generic_visit(node)
        self._depth -= 1
        return node  # type: ignore[no-any-return]

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if self._depth and not isinstance(node, ast.ClassDef):
            for name in ("body", "orelse", "finalbody"):
                statements = getattr(node, name, None)
                if isinstance(statements, list):
                    setattr(node, name, self._with_points(statements))
        return node

    def _with_points(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        result: list[ast.stmt] = []
        for statement in statements:
            silent = isinstance(statement, (ast.Global, ast.Nonlocal)) or (
                isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            )
            if not silent:
                number = POINTS.add(self._module, statement.lineno)
                point = ast.parse(f"{POINT}({number})").body[0]
                for part in ast.walk(point):
                    ast.copy_location(part, statement)
                result.append(point)
            result.append(statement)
        return result


class _Loader(SourceFileLoader):
    def __init__(self, fullname: str, path: str, plant: Plant | None) -> None:
        super().__init__(fullname, path)
        self._plant = plant

    def get_code(self, fullname: str) -> CodeType:
        source = self.get_data(self.path).decode()
        if self._plant is not None:
            source = self._plant.apply(source)
        tree = _Inserter(fullname).visit(ast.parse(source, self.path))
        return compile(ast.fix_missing_locations(tree), self.path, "exec")

    def exec_module(self, module: ModuleType) -> None:
        setattr(module, POINT, POINTS.pass_by)
        super().exec_module(module)


class _Finder(MetaPathFinder):
    def __init__(self, plants: dict[str, Plant]) -> None:
        self._plants = plants

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(INSTRUMENTED) and fullname not in self._plants:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or not isinstance(spec.loader, SourceFileLoader):
            return None
        spec.loader = _Loader(fullname, spec.loader.path, self._plants.get(fullname))
        return spec


def instrument(plant: Plant | None = None) -> None:
    """From now on, load the worker's modules with points, and with a bug if one is given.

    Args:
        plant: The bug to plant.

    Raises:
        RuntimeError: A module was imported before.
    """
    loaded = [name for name in sys.modules if name.startswith(INSTRUMENTED)]
    if loaded:
        raise RuntimeError(f"imported before it could be instrumented: {', '.join(loaded)}")
    sys.meta_path.insert(0, _Finder({plant.module: plant} if plant else {}))
