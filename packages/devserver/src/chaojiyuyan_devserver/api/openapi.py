"""The OpenAPI 3.1 document, made from the operations that are served."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter
from pydantic.json_schema import models_json_schema
from typing_extensions import TypedDict

from chaojiyuyan_devserver._version import __version__

from .api import OPERATIONS

if TYPE_CHECKING:
    from .operation import Operation

Json = dict[str, Any]

_SCHEMA = "#/components/schemas/{model}"
_DESCRIPTION = """The chaojiyuyan platform in one local process.

An operation with `x-assumed` does in that respect what its makers suppose of the platform, for its
documentation does not say. `Prefer: wait` (RFC 7240) is an addition that a server may ignore."""


class Refused(TypedDict):
    """A refusal."""

    detail: Json


class Invalid(TypedDict):
    """A request that does not fit the schema, or a refusal."""

    detail: list[Json] | Json


def document(prefix: str) -> Json:
    """The document.

    Args:
        prefix: the path that all operations hang under.
    """
    paths: Json = {}
    components = _components()
    for operation in OPERATIONS:
        path = paths.setdefault(operation.path, {})
        path[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "chaojiyuyan local kernel",
            "version": __version__,
            "description": _DESCRIPTION,
        },
        "servers": [{"url": prefix}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "agentKey": {"type": "http", "scheme": "bearer", "bearerFormat": "nxt_ag_…"}
            },
        },
    }


def _components() -> Json:
    models = {o.body for o in OPERATIONS if o.body is not None}
    _, bodies = models_json_schema(
        [(model, "validation") for model in sorted(models, key=lambda m: m.__name__)],
        ref_template=_SCHEMA,
    )
    schemas: Json = dict(bodies["$defs"])
    for kind in [Refused, Invalid, *(a for o in OPERATIONS for a in o.answers.values())]:
        schema = TypeAdapter(kind).json_schema(ref_template=_SCHEMA)
        schemas.update(schema.pop("$defs", {}))
        schemas[kind.__name__] = schema
    return schemas


def _operation(operation: Operation) -> Json:
    text = inspect.cleandoc(operation.handler.__doc__ or "")
    if operation.assumed:
        text += f"\n\nAssumed: {operation.assumed}"
    described: Json = {
        "operationId": operation.name,
        "description": text,
        "parameters": _parameters(operation),
        "responses": _responses(operation),
    }
    if operation.assumed:
        described["x-assumed"] = operation.assumed
    if not operation.open:
        described["security"] = [{"agentKey": []}]
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": _json(operation.body.__name__)}
    return described


def _parameters(operation: Operation) -> list[Json]:
    parameters: list[Json] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            # one segment of the path
            "schema": {"type": "string", "minLength": 1, "pattern": "^[^/]+$"},
        }
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    if operation.query is not None:
        properties = operation.query.model_json_schema()["properties"]
        parameters += [
            {"name": name, "in": "query", "required": False, "schema": _without_null(schema)}
            for name, schema in properties.items()
        ]
    if operation.waits:
        parameters.append(
            {
                "name": "Prefer",
                "in": "header",
                "required": False,
                "schema": {"type": "string", "examples": ["wait=30"]},
                "description": "`wait=<seconds>`, at most 60, holds the answer until the event.",
            }
        )
    return parameters


def _without_null(schema: Json) -> Json:
    # an optional query parameter is left out; there is no null in a query string
    options = [option for option in schema.get("anyOf", ()) if option != {"type": "null"}]
    return {"title": schema.get("title", ""), **options[0]} if options else schema


def _responses(operation: Operation) -> Json:
    responses: Json = {}
    for status, kind in operation.answers.items():
        data = {"$ref": _SCHEMA.format(model=kind.__name__)}
        envelope = {"type": "object", "required": ["data"], "properties": {"data": data}}
        responses[str(status)] = {
            "description": inspect.cleandoc(kind.__doc__ or ""),
            "content": {"application/json": {"schema": envelope}},
        }
    for status, codes in sorted(_refusals(operation).items()):
        kind = Invalid if status == 422 else Refused
        responses[str(status)] = {
            "description": ", ".join(f"`{code}`" for code in codes) or "The request does not fit.",
            "content": _json(kind.__name__),
        }
    return responses


def _refusals(operation: Operation) -> dict[int, tuple[str, ...]]:
    refusals = dict(operation.refusals)
    if not operation.open:
        refusals[401] = ("invalid_api_key",)
    if operation.body is not None:
        refusals[413] = ("payload_too_large",)
    if operation.body is not None or operation.query is not None:
        refusals.setdefault(422, ())
    return refusals


def _json(model: str) -> Json:
    return {"application/json": {"schema": {"$ref": _SCHEMA.format(model=model)}}}
