"""How a handler wants to be called: with the task, with its input as a type, or with both."""

from __future__ import annotations

import functools
import inspect
import typing
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from chaojiyuyan_core.errors import InvalidInput
from chaojiyuyan_worker.task import TaskContext

from . import conversion

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaojiyuyan_core.models import JsonObject

UNTYPED = (inspect.Parameter.empty, Any, object)


@dataclass(frozen=True, slots=True)
class Signature:
    """What a handler takes and returns.

    Attributes:
        takes_data: The first argument is the input, not the task.
        takes_task: The task is the second argument, or the only one.
        input_type: The type of the input; None leaves it a dict.
        output_type: The type of the output; None takes any object.
    """

    takes_data: bool = False
    takes_task: bool = True
    input_type: Any = None
    output_type: Any = None

    def prepare(self, task: TaskContext) -> None:
        """Read a task's input for the next run of the handler in this process.

        Args:
            task: The task.

        Raises:
            InvalidInput: The input does not fit its type.
        """
        if self.input_type is not None:
            task._ready_input = [self.read_input(task.input)]

    def arguments(self, task: TaskContext) -> tuple[Any, ...]:
        """Return the handler's arguments.

        Args:
            task: The task.

        Raises:
            InvalidInput: The input does not fit its type.
        """
        if not self.takes_data:
            return (task,)
        # Each run has an object of its own, since a handler may change it.
        data = task._ready_input.pop() if task._ready_input else self.read_input(task.input)
        return (data, task) if self.takes_task else (data,)

    def read_input(self, value: JsonObject) -> Any:
        """Return the input as its type.

        Args:
            value: The input envelope.

        Raises:
            InvalidInput: It does not fit.
        """
        if self.input_type is None:
            return value
        try:
            return conversion.read(value, self.input_type)
        except conversion.Misfit as misfit:
            raise InvalidInput(str(misfit), path=misfit.path) from None
        except RecursionError:
            raise InvalidInput("the input is nested too deeply", path="") from None

    def read_output(self, output: object) -> object:
        """Return what a handler returned as a JSON value.

        Args:
            output: What it returned.

        Raises:
            Misfit: It does not fit the type of the output.
            RecursionError: It is nested too deeply.
        """
        value = conversion.write(output)
        if self.output_type is not None:
            conversion.read(value, self.output_type)
        return value


@dataclass(frozen=True, slots=True)
class TypedCall:
    """Calls a handler with the arguments that it wants. It can be pickled if the handler can.

    Attributes:
        function: The handler.
        signature: What it wants.
    """

    function: Callable[..., Any]
    signature: Signature

    def __call__(self, task: TaskContext) -> Any:
        """Call the handler for a task."""
        return self.function(*self.signature.arguments(task))


def read_signature(
    function: Callable[..., Any],
    capability_key: str,
    input_type: Any = None,
    output_type: Any = None,
) -> Signature:
    """Find out how a handler wants to be called.

    Args:
        function: The handler. One without a signature is called with the task.
        capability_key: Its capability, for the error.
        input_type: The type of its input; by default that of its first parameter.
        output_type: The type of its output; by default what it is annotated to return, if that is a
            dataclass, a TypedDict or a pydantic model.

    Raises:
        TypeError: It cannot be called with the task, the input or both, or a type is not supported.
    """
    try:
        parameters = _positional(function)
        hints = _Hints(function)
        if output_type is None and conversion.is_structure(hints.get("return")):
            output_type = hints.get("return")
        for hint in (input_type, output_type):
            if hint is not None:
                conversion.check(hint)
        return _decide(parameters, hints, input_type, output_type)
    except TypeError as error:
        raise TypeError(f"the handler of {capability_key}: {error}") from None


def _positional(function: Callable[..., Any]) -> list[inspect.Parameter] | None:
    """Return the parameters that the task and the input may go to; None where nothing tells.

    Raises:
        TypeError: The parameters do not fit.
    """
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None
    empty = inspect.Parameter.empty
    for parameter in parameters:
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is empty:
            raise TypeError(f"its keyword-only parameter {parameter.name!r} has no default")
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return None
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    found = [parameter for parameter in parameters if parameter.kind in kinds]
    if not found:
        raise TypeError("it takes no positional parameter; it needs (task), (data) or (data, task)")
    if sum(parameter.default is empty for parameter in found) > 2:
        raise TypeError("it has more than two required parameters; it needs (data, task) at most")
    return found


def _decide(
    parameters: list[inspect.Parameter] | None, hints: _Hints, input_type: Any, output_type: Any
) -> Signature:
    if parameters is None:
        return Signature(input_type is not None, input_type is None, input_type, output_type)
    first = parameters[0]
    takes_both = len(parameters) > 1 and _is_for_task(parameters[1], hints)
    if input_type is None:
        hint = hints.get(first.name)
        if hint is None or _is_task(hint):
            if takes_both and _is_task(hint):
                raise TypeError("its first parameter is the task; in (data, task) it is the input")
            return Signature(output_type=output_type)
        if hint in UNTYPED:
            return Signature(takes_both, True, None, output_type)
        conversion.check(hint)
        input_type = None if hint is dict else hint
    return Signature(True, takes_both, input_type, output_type)


def _is_for_task(parameter: inspect.Parameter, hints: _Hints) -> bool:
    """Whether a second parameter gets the task; one with a default of its own may mean another."""
    if parameter.default is inspect.Parameter.empty or parameter.name == "task":
        return True
    return _is_task(hints.get(parameter.name))


def _is_task(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, TaskContext)


class _Hints:
    """The annotations of a function, each resolved on its own when it is asked for."""

    def __init__(self, function: Callable[..., Any]) -> None:
        while isinstance(function, functools.partial):
            function = function.func
        if not inspect.isroutine(function) and not isinstance(function, type):
            function = getattr(function, "__call__", function)  # noqa: B004 - its hints are meant
        function = inspect.unwrap(function)
        self._function = getattr(function, "__func__", function)
        self._raw = _raw_annotations(self._function)

    def get(self, name: str) -> Any:
        """Return the type of a parameter, or of ``return``.

        Returns:
            The type; ``Parameter.empty`` without an annotation; None where a parameter is for the
            task, or the return type is unknown, by an annotation that cannot be resolved.

        Raises:
            TypeError: The annotation of another parameter cannot be resolved.
        """
        if name not in self._raw:
            return inspect.Parameter.empty
        annotation = self._raw[name]
        if annotation is None:
            return type(None)
        holder = type("Holder", (), {"__annotations__": {name: annotation}})
        names = getattr(self._function, "__globals__", {})
        try:
            return typing.get_type_hints(holder, names, include_extras=True)[name]
        except (NameError, AttributeError) as error:
            text = str(annotation)
            if name in ("task", "return") or text.rpartition(".")[2] == "TaskContext":
                return None
            raise TypeError(
                f"the annotation {text!r} of {name!r} cannot be resolved ({error}): import its type"
                " outside `if TYPE_CHECKING`, or pass input="
            ) from None


def _raw_annotations(function: Any) -> dict[str, Any]:
    try:
        return getattr(function, "__annotations__", {})
    except NameError:  # Python 3.14 evaluates them here, those under `if TYPE_CHECKING` too
        annotationlib = import_module("annotationlib")
        forms: dict[str, Any] = annotationlib.get_annotations(
            function, format=annotationlib.Format.STRING
        )
        return forms
