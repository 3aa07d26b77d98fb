"""Find the arguments of a handler: the task, the typed input, or both."""

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
    """The arguments and the result of a handler.

    Attributes:
        takes_data: Whether the first argument is the input.
        takes_task: Whether the task is the second argument, or the only one.
        input_type: The type of the input; None passes a dict.
        output_type: The type of the output; None allows any object.
    """

    takes_data: bool = False
    takes_task: bool = True
    input_type: Any = None
    output_type: Any = None

    def prepare(self, task: TaskContext) -> None:
        """Convert the input of a task for the next run of the handler in this process.

        Args:
            task: The task.

        Raises:
            InvalidInput: The input does not match its type.
        """
        if self.input_type is not None:
            task._ready_input = [self.read_input(task.input)]

    def arguments(self, task: TaskContext) -> tuple[Any, ...]:
        """Return the arguments of the handler.

        Args:
            task: The task.

        Raises:
            InvalidInput: The input does not match its type.
        """
        if not self.takes_data:
            return (task,)
        # Each run gets a new object, because a handler may change it.
        data = task._ready_input.pop() if task._ready_input else self.read_input(task.input)
        return (data, task) if self.takes_task else (data,)

    def read_input(self, value: JsonObject) -> Any:
        """Convert the input to its type.

        Args:
            value: The input envelope.

        Raises:
            InvalidInput: The input does not match its type.
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
        """Convert the result of a handler to a JSON value.

        Args:
            output: The result.

        Raises:
            Misfit: The result does not match the type of the output.
            RecursionError: The result is nested too deeply.
        """
        value = conversion.write(output)
        if self.output_type is not None:
            conversion.read(value, self.output_type)
        return value


@dataclass(frozen=True, slots=True)
class TypedCall:
    """Calls a handler with the arguments that it expects. It can be pickled if the handler can.

    Attributes:
        function: The handler.
        signature: The arguments that it expects.
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
    """Find the arguments that a handler expects.

    Args:
        function: The handler. Without a readable signature, it is called with the task.
        capability_key: The key of its capability, for the error.
        input_type: The type of the input, by default the type of the first parameter.
        output_type: The type of the output, by default the return annotation if it is a dataclass,
            a TypedDict or a pydantic model.

    Raises:
        TypeError: The handler cannot be called with the task, the input or both, or a type is not
            supported.
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
    """Return the positional parameters, or None when they are unknown.

    Raises:
        TypeError: The parameters do not allow such a call.
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
        raise TypeError("it has no positional parameter; it needs (task), (data) or (data, task)")
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
    """Return whether a second parameter is for the task. With a default, it may be another one."""
    if parameter.default is inspect.Parameter.empty or parameter.name == "task":
        return True
    return _is_task(hints.get(parameter.name))


def _is_task(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, TaskContext)


class _Hints:
    """The annotations of a function, each of which is resolved separately on demand."""

    def __init__(self, function: Callable[..., Any]) -> None:
        while isinstance(function, functools.partial):
            function = function.func
        if not inspect.isroutine(function) and not isinstance(function, type):
            function = getattr(function, "__call__", function)  # noqa: B004 - for its annotations
        function = inspect.unwrap(function)
        self._function = getattr(function, "__func__", function)
        self._raw = _raw_annotations(self._function)

    def get(self, name: str) -> Any:
        """Return the type of a parameter, or of ``return``.

        Returns:
            The type, or ``Parameter.empty`` without an annotation. None when an annotation that
            cannot be resolved is for the task or is the return type.

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
    except NameError:  # Python 3.14 evaluates annotations here, also names under `if TYPE_CHECKING`
        annotationlib = import_module("annotationlib")
        forms: dict[str, Any] = annotationlib.get_annotations(
            function, format=annotationlib.Format.STRING
        )
        return forms
