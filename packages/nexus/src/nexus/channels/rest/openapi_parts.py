"""What every part of the OpenAPI document uses."""

from __future__ import annotations

from typing import Any, Final

Schema = dict[str, Any]

PROBLEM: Final[Schema] = {
    "type": "object",
    "description": "What was refused, and what to do (RFC 9457).",
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "Stable; the same on every channel."},
        "hint": {"type": "string"},
        "instance": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "field": {"type": "string"},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
                "required": ["field", "code", "message"],
            },
        },
    },
    "required": ["type", "title", "status", "detail", "code"],
}
REFUSED: Final[Schema] = {
    "description": "The request was refused.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def answered(description: str, schema: Schema) -> Schema:
    """Return a response with a JSON body of that schema."""
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def query(name: str, schema: Schema, description: str) -> Schema:
    """Return one parameter of the query string."""
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}
