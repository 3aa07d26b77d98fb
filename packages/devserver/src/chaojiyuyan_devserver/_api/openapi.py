"""Additions to the OpenAPI document that FastAPI generates."""

from typing import Any

from chaojiyuyan_devserver.kernel import Catalog, Spec

Json = dict[str, Any]


def complete_openapi(schema: Json, catalog: Catalog) -> Json:
    """Return FastAPI's document with the assumptions, the input schemas and the security scheme."""
    components = schema["components"]
    job_request = {
        **components["schemas"]["JobRequest"],
        "anyOf": [_describe_call(spec) for spec in catalog.list()],
    }
    return {
        **schema,
        "paths": {
            path: {method: _complete(operation) for method, operation in operations.items()}
            for path, operations in schema["paths"].items()
        },
        "components": {
            "schemas": {**components["schemas"], "JobRequest": job_request},
            "securitySchemes": {
                "agentKey": {"type": "http", "scheme": "bearer", "bearerFormat": "nxt_ag_…"}
            },
        },
    }


def _complete(operation: Json) -> Json:
    assumed = operation.get("x-assumed")
    if assumed is None:
        return operation
    return {**operation, "description": f"{operation['description']}\n\nAssumed: {assumed}"}


def _describe_call(spec: Spec) -> Json:
    properties: Json = {"capability_key": {"const": spec.capability_key}}
    required = ["capability_key"]
    if spec.input_schema:
        properties["input_payload"] = spec.input_schema
        required.append("input_payload")
    return {"properties": properties, "required": required}
