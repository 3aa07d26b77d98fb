"""Catalog files, and the validation of inputs and outputs."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from chaojiyuyan_devserver._catalog_files import CatalogError, load_builtin, load_catalog
from chaojiyuyan_devserver.kernel import Catalog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx

    from chaojiyuyan_devserver.testing import LocalKernel

YAML = """
- capability_key: shop.quote.v1
  price_nc: 7
  input_schema: {type: object, required: [item]}
  output_schema: {properties: {size: {maximum: .inf}}}
"""


def test_a_catalog_is_read_from_yaml_or_json(tmp_path: Path) -> None:
    one = tmp_path / "catalog.yaml"
    one.write_text(YAML)
    other = tmp_path / "catalog.json"
    rows = [{"capability_key": "test.echo.v1", "name": "Mine", "price_nc": 3}]
    other.write_text(json.dumps({"items": rows}))
    catalog = Catalog([*load_builtin(), *load_catalog(str(one)), *load_catalog(str(other))])
    quote = catalog.get("shop.quote.v1")
    assert quote is not None
    assert (quote.name, quote.category, quote.price_nc) == ("shop.quote.v1", "shop", 7)
    assert quote.input_errors({}) == ["$: 'item' is a required property"]
    assert quote.output_errors({"anything": 1}) == []
    mine = catalog.get("test.echo.v1")
    assert mine is not None
    assert mine.name == "Mine"
    assert [spec.capability_key for spec in catalog.list("shop")] == ["shop.quote.v1"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "while parsing"),
        ("just words", "expected a list"),
        ("- 7", "spec 1: expected an object"),
        ("- price_nc: 1", "capability_key is missing"),
        ("data: {items: [{capability_key: a, price_nc: null}]}", "price_nc is missing"),
        ("- {capability_key: a, price_nc: -1}", "price_nc is below 0"),
        ("- {capability_key: a, price_nc: true}", "price_nc is not int"),
        ("- {capability_key: a, price_nc: 1, colour: red}", "unknown field 'colour'"),
        ("- {capability_key: a, price_nc: 1, input_schema: {type: 7}}", "not a JSON Schema"),
    ],
)
def test_errors_of_a_catalog_file_are_reported(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "catalog.yaml"
    path.write_text(text)
    with pytest.raises(CatalogError, match=complaint):
        load_catalog(str(path))
    with pytest.raises(CatalogError, match="missing"):
        load_catalog(str(tmp_path / "missing.yaml"))


def test_validation_errors_have_a_path(tmp_path: Path) -> None:
    path = tmp_path / "catalog.yaml"
    schema = "{type: object, properties: {item: {type: strin}}}"
    path.write_text(f"{YAML}- {{capability_key: b, price_nc: 1, output_schema: {schema}}}")
    place = r"catalog.yaml: spec 2 \(b\): output_schema.properties.item.type is not a JSON Schema"
    with pytest.raises(CatalogError, match=place):
        load_catalog(str(path))


def test_a_catalog_is_read_from_a_url(
    kernel_client: httpx.Client, kernel_factory: Callable[..., LocalKernel], tmp_path: Path
) -> None:
    answer = kernel_client.get("/capability-specs").content
    row = json.loads(answer)["data"]["items"][0]
    row |= {"capability_key": "from.afar.v1", "made_up_since": 2027, "description": None}
    with serving(json.dumps({"data": {"items": [row]}}).encode()) as url:
        kernel = kernel_factory(catalog=url, ephemeral=True)
    with kernel.client() as client:
        items = client.get("/capability-specs", params={"category": "test"}).json()["data"]["items"]
    assert [item["capability_key"] for item in items] == ["test.echo.v1", "from.afar.v1"]


def test_a_url_without_a_catalog_is_an_error() -> None:
    with serving(b"<html>") as url, pytest.raises(CatalogError, match="expected a list"):
        load_catalog(url)
    with pytest.raises(CatalogError, match=r"catalog\.json"):
        load_catalog("http://127.0.0.1:9/catalog.json")


@contextmanager
def serving(body: bytes) -> Iterator[str]:
    """Serve the same body for every request; yield the server's URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/catalog.json"
        server.shutdown()
        thread.join()


def test_the_kernel_serves_a_catalog_file(
    tmp_path: Path, kernel_factory: Callable[..., LocalKernel]
) -> None:
    path = tmp_path / "catalog.yaml"
    path.write_text(YAML)
    kernel = kernel_factory(catalog=path, ephemeral=True)
    with kernel.client() as client:
        items = client.get("/capability-specs", params={"category": "shop"}).json()["data"]["items"]
        assert [item["price_nc"] for item in items] == [7]
        call = {"capability_key": "shop.quote.v1", "input_payload": {"item": 1}}
        assert client.post("/kernel-jobs", json=call).status_code == 201
        refusal = client.post("/kernel-jobs", json={"capability_key": "shop.quote.v1"})
        assert (refusal.status_code, refusal.json()["detail"]["code"]) == (400, "invalid_input")
