"""The capability specs: what can be called, for how much, with which input and output."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Json: TypeAlias = dict[str, Any]


class CatalogError(ValueError):
    """A catalog file that cannot be used; the text says where and why."""


@dataclass(slots=True)
class Spec:
    """One capability.

    ``input_schema`` and ``output_schema`` are JSON Schema 2020-12; an empty one takes any object.
    """

    capability_key: str
    name: str
    category: str
    price_nc: int
    input_mode: str = "json"
    output_mode: str = "json"
    description: str = ""
    input_schema: Json = field(default_factory=dict)
    output_schema: Json = field(default_factory=dict)
    _input: Draft202012Validator | None = None
    _output: Draft202012Validator | None = None

    def __post_init__(self) -> None:
        self._input = _validator(self.capability_key, "input_schema", self.input_schema)
        self._output = _validator(self.capability_key, "output_schema", self.output_schema)

    @property
    def id(self) -> str:
        """The spec's id, the same at every start."""
        return f"spec_{self.capability_key}"

    def input_errors(self, value: Json) -> list[str]:
        """What is wrong with an input, one line a fault; empty when it fits."""
        return _errors(self._input, value)

    def output_errors(self, value: Json) -> list[str]:
        """What is wrong with an output, one line a fault; empty when it fits."""
        return _errors(self._output, value)


class Catalog:
    """The specs by capability key, in their given order; a later one replaces an earlier."""

    def __init__(self, specs: Iterable[Spec]) -> None:
        self._specs = {spec.capability_key: spec for spec in specs}

    def get(self, capability_key: str) -> Spec | None:
        """The spec of a key, or None."""
        return self._specs.get(capability_key)

    def list(self, category: str | None = None) -> list[Spec]:
        """All specs, or those of exactly this category."""
        return [s for s in self._specs.values() if category is None or s.category == category]


def builtin() -> list[Spec]:
    """The specs that every local kernel has."""
    text = resources.files(__package__).joinpath("catalog.yaml").read_text("utf-8")
    return _parse(text, "catalog.yaml")


def load(path: Path) -> list[Spec]:
    """Read a catalog file, YAML or JSON: a list of specs, or an object with that list as ``items``.

    Raises:
        CatalogError: it cannot be read, or a spec in it is not valid.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogError(f"{path}: {error}") from None
    return _parse(text, str(path))


def _parse(text: str, source: str) -> list[Spec]:
    try:
        # JSON is nearly YAML, but not with tabs in it
        data = json.loads(text) if source.endswith(".json") else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        raise CatalogError(f"{source}: {error}") from None
    rows = data.get("items") if isinstance(data, dict) else data
    if not isinstance(rows, list):
        raise CatalogError(f"{source}: expected a list of specs, or an object with one as 'items'")
    return [_spec(row, f"{source}: spec {number}") for number, row in enumerate(rows, 1)]


_FIELDS: dict[str, type] = {
    "capability_key": str,
    "name": str,
    "category": str,
    "price_nc": int,
    "input_mode": str,
    "output_mode": str,
    "description": str,
    "input_schema": dict,
    "output_schema": dict,
}
_REQUIRED = ("capability_key", "price_nc")


def _spec(row: Any, where: str) -> Spec:
    if not isinstance(row, dict):
        raise CatalogError(f"{where}: expected an object")
    for name in _REQUIRED:
        if name not in row:
            raise CatalogError(f"{where}: {name} is missing")
    for name, value in row.items():
        kind = _FIELDS.get(name)
        if kind is None:
            raise CatalogError(f"{where}: unknown field {name!r}")
        if not isinstance(value, kind) or isinstance(value, bool):
            raise CatalogError(f"{where}: {name} is not {kind.__name__}")
    if row["price_nc"] < 0:
        raise CatalogError(f"{where}: price_nc is below 0")
    key = row["capability_key"]
    return Spec(**{"name": key, "category": key.split(".")[0], **row})


def _validator(key: str, name: str, schema: Json) -> Draft202012Validator | None:
    if not schema:
        return None
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise CatalogError(f"{key}: {name} is not a JSON Schema: {error.message}") from None
    return Draft202012Validator(schema)


def _errors(validator: Draft202012Validator | None, value: Json) -> list[str]:
    if validator is None:
        return []
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]
