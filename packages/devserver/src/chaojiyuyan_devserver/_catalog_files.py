"""Read specs from a catalog file: YAML or JSON, at a path or a URL."""

import json
from importlib import resources
from pathlib import Path
from typing import Any, get_origin, get_type_hints

from .kernel import Spec
from .kernel.views import SpecView

FETCH_TIMEOUT = 20.0
"""Seconds for connecting, writing and each read when a catalog is fetched."""
MAX_CATALOG_BYTES = 16 * 1024 * 1024

_FIELDS = {
    name: get_origin(kind) or kind
    for name, kind in get_type_hints(SpecView).items()
    if name != "id"
}
_REQUIRED = ("capability_key", "price_nc")


class CatalogError(ValueError):
    """A catalog is not valid or cannot be read; the message says where and why."""


def load_builtin() -> list[Spec]:
    """Return the built-in specs of every local kernel."""
    return _parse(resources.files(__package__).joinpath("catalog.json").read_text("utf-8"))


def load_catalog(source: str) -> list[Spec]:
    """Read a catalog: a list of specs, an object with the list as ``items``, or an API response.

    Args:
        source: The path of a file, or an ``http`` or ``https`` URL.

    Raises:
        CatalogError: The catalog cannot be read, or a spec in it is not valid.
    """
    try:
        if source.startswith(("http://", "https://")):
            return _parse(_fetch(source))
        return _parse(Path(source).read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CatalogError(f"{source}: {error}") from None


def _fetch(url: str) -> str:
    import httpx

    body = bytearray()
    try:
        with httpx.stream("GET", url, timeout=FETCH_TIMEOUT, follow_redirects=True) as answer:
            answer.raise_for_status()
            for piece in answer.iter_bytes():
                body += piece
                if len(body) > MAX_CATALOG_BYTES:
                    raise ValueError(f"the catalog exceeds {MAX_CATALOG_BYTES} bytes")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ValueError(str(error)) from None
    return body.decode("utf-8")


def _parse(text: str) -> list[Spec]:
    data = _read(text)
    # The platform's response may have fields that this kernel does not know. In a file that the
    # user wrote, an unknown field is probably a typing error.
    is_answer = isinstance(data, dict) and "data" in data
    if is_answer:
        data = data["data"]
    rows = data.get("items") if isinstance(data, dict) else data
    if not isinstance(rows, list):
        raise ValueError("expected a list of specs, or an object with one as 'items'")
    specs = []
    for number, row in enumerate(rows, 1):
        try:
            specs.append(_make_spec(row, strict=not is_answer))
        except ValueError as error:  # noqa: PERF203 - a catalog is short
            key = row.get("capability_key") if isinstance(row, dict) else None
            place = f"spec {number} ({key})" if isinstance(key, str) else f"spec {number}"
            raise ValueError(f"{place}: {error}") from None
    return specs


def _read(text: str) -> Any:
    if text.lstrip().startswith(("{", "[")):
        try:
            return json.loads(text)  # YAML parsers accept most JSON, but not with tabs
        except ValueError:
            pass  # it may be YAML
    import yaml  # imported late: only --catalog needs it

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def _make_spec(row: Any, *, strict: bool) -> Spec:
    if not isinstance(row, dict):
        raise ValueError("expected an object")
    if not strict:
        row = {name: value for name, value in row.items() if name in _FIELDS and value is not None}
    for name in _REQUIRED:
        if name not in row:
            raise ValueError(f"{name} is missing")
    for name, value in row.items():
        kind = _FIELDS.get(name)
        if kind is None:
            raise ValueError(f"unknown field {name!r}; the fields are {', '.join(_FIELDS)}")
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ValueError(f"{name} is not {kind.__name__}: {value!r}")
    if row["price_nc"] < 0:
        raise ValueError(f"price_nc is below 0: {row['price_nc']}")
    if not row["capability_key"]:
        raise ValueError("capability_key is empty")
    return Spec(**row)
