"""The capability specs: keys, prices, input and output schemas."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError


@dataclass(slots=True)
class Spec:
    """One capability.

    Args:
        capability_key: The key, for example ``test.echo.v1``.
        price_nc: The price of a job in nc.
        name: The name for humans; the key by default.
        category: The category; the key's first part by default.
        input_mode: The kind of its input, for example ``json``.
        output_mode: The kind of its output.
        description: What the capability does.
        input_schema: JSON Schema 2020-12 of the input; an empty one accepts any object.
        output_schema: JSON Schema 2020-12 of the output.

    Raises:
        ValueError: A schema is not valid; the message says where.
    """

    capability_key: str
    price_nc: int
    name: str = ""
    category: str = ""
    input_mode: str = "json"
    output_mode: str = "json"
    description: str = ""
    input_schema: dict[str, Any] = field(default_factory=dict)
    output_schema: dict[str, Any] = field(default_factory=dict)
    _input: Draft202012Validator | None = field(init=False, repr=False, compare=False)
    _output: Draft202012Validator | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.name = self.name or self.capability_key
        self.category = self.category or self.capability_key.split(".")[0]
        self._input = _make_validator("input_schema", self.input_schema)
        self._output = _make_validator("output_schema", self.output_schema)

    @property
    def id(self) -> str:
        """The spec's id, the same at every start."""
        return spec_id(self.capability_key)

    def input_errors(self, value: dict[str, Any]) -> list[str]:
        """Return the errors of an input, one line each; an empty list if it is valid."""
        return _errors(self._input, value)

    def output_errors(self, value: dict[str, Any]) -> list[str]:
        """Return the errors of an output, one line each; an empty list if it is valid."""
        return _errors(self._output, value)


class Catalog:
    """The specs by capability key, in the given order. A later spec of a key replaces an earlier.

    Args:
        specs: The specs.
    """

    def __init__(self, specs: Iterable[Spec]) -> None:
        self._specs = {spec.capability_key: spec for spec in specs}

    def get(self, capability_key: str) -> Spec | None:
        """Return the spec of a key, or None."""
        return self._specs.get(capability_key)

    def list(self, category: str | None = None) -> list[Spec]:
        """Return all specs, or those of one category."""
        return [s for s in self._specs.values() if category is None or s.category == category]


def spec_id(capability_key: str) -> str:
    """Return the id of a capability's spec."""
    return f"spec_{capability_key}"


def _make_validator(name: str, schema: dict[str, Any]) -> Draft202012Validator | None:
    if not schema:
        return None
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        place = ".".join([name, *(str(part) for part in error.absolute_path)])
        raise ValueError(f"{place} is not a JSON Schema: {error.message}") from None
    return Draft202012Validator(schema)


def _errors(validator: Draft202012Validator | None, value: Any) -> list[str]:
    if validator is None:
        return []
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]
