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
    text = resources.files(__package__).joinpath("catalog.json").read_text("utf-8")
    return parse_catalog(text, "catalog.json")


def load_catalog(source: str) -> list[Spec]:
    """Read a catalog: a list of specs, an object with the list as ``items``, or an API response.

    Args:
        source: The path of a file, or an ``http`` or ``https`` URL.

    Raises:
        CatalogError: The catalog cannot be read, or a spec in it is not valid.
    """
    if source.startswith(("http://", "https://")):
        return parse_catalog(_fetch(source), source)
    try:
        text = Path(source).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogError(f"{source}: {error}") from None
    return parse_catalog(text, source)


def parse_catalog(text: str, source: str) -> list[Spec]:
    """Read the specs from YAML or JSON.

    Raises:
        CatalogError: A spec is not valid.
    """
    try:
        data = _read(text)
    except (ValueError, RecursionError) as error:
        raise CatalogError(f"{source}: {error}") from None
    # The platform's response may have fields that this kernel does not know. In a file that the
    # user wrote, an unknown field is probably a typing error.
    is_answer = isinstance(data, dict) and "data" in data
    if is_answer:
        data = data["data"]
    rows = data.get("items") if isinstance(data, dict) else data
    if not isinstance(rows, list):
        raise CatalogError(f"{source}: expected a list of specs, or an object with one as 'items'")
    return [
        _make_spec(row, f"{source}: {_place(row, number)}", strict=not is_answer)
        for number, row in enumerate(rows, 1)
    ]


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


def _fetch(url: str) -> str:
    import httpx

    body = bytearray()
    try:
        with httpx.stream("GET", url, timeout=FETCH_TIMEOUT, follow_redirects=True) as answer:
            answer.raise_for_status()
            for piece in answer.iter_bytes():
                body += piece
                if len(body) > MAX_CATALOG_BYTES:
                    raise CatalogError(f"{url}: the catalog exceeds {MAX_CATALOG_BYTES} bytes")
        return body.decode("utf-8")
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeDecodeError) as error:
        raise CatalogError(f"{url}: {error}") from None


def _place(row: Any, number: int) -> str:
    key = row.get("capability_key") if isinstance(row, dict) else None
    return f"spec {number} ({key})" if isinstance(key, str) else f"spec {number}"


def _make_spec(row: Any, where: str, *, strict: bool) -> Spec:
    if not isinstance(row, dict):
        raise CatalogError(f"{where}: expected an object")
    for name in _REQUIRED:
        if name not in row:
            raise CatalogError(f"{where}: {name} is missing")
    if not strict:
        row = {name: value for name, value in row.items() if name in _FIELDS and value is not None}
    for name, value in row.items():
        kind = _FIELDS.get(name)
        if kind is None:
            raise CatalogError(
                f"{where}: unknown field {name!r}; the fields are {', '.join(_FIELDS)}"
            )
        if not isinstance(value, kind) or isinstance(value, bool):
            raise CatalogError(f"{where}: {name} is not {kind.__name__}: {value!r}")
    if row["price_nc"] < 0:
        raise CatalogError(f"{where}: price_nc is below 0: {row['price_nc']}")
    if not row["capability_key"]:
        raise CatalogError(f"{where}: capability_key is empty")
    try:
        return Spec(**row)
    except ValueError as error:
        raise CatalogError(f"{where}: {error}") from None
