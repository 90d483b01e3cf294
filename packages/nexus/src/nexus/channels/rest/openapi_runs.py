"""The OpenAPI description of workflows and jobs."""

from __future__ import annotations

from typing import Any, Final

from kailash.capability import Capability
from nexus.channels.rest.openapi_parts import REFUSED, Schema, answered

JOB: Final[Schema] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "workflow": {"type": "string"},
        "status": {"enum": ["running", "done", "failed", "cancelled"]},
        "began": {"type": "string", "format": "date-time"},
        "ended": {"type": ["string", "null"], "format": "date-time"},
        "steps": {"type": "integer", "description": "Steps that are finished."},
        "result": {"type": "object", "description": "Once it is done."},
        "problem": {"$ref": "#/components/schemas/Problem"},
    },
    "required": ["id", "workflow", "status", "began", "ended", "steps"],
}
INFORMATION: Final[Schema] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "summary": {"type": "string"},
        "nature": {"enum": ["read", "write", "destroy"]},
        "inputs": {"type": "object", "description": "JSON Schema."},
        "outputs": {"type": "object", "description": "JSON Schema."},
        "mermaid": {"type": ["string", "null"], "description": "A picture, in Mermaid's flowchart language."},
    },
    "required": ["name", "summary", "nature", "inputs", "outputs", "mermaid"],
}
STREAM: Final[Schema] = {"text/event-stream": {"schema": {"type": "string"}}}
PREFER: Final = "respond-async answers 202 with a job; wait=5 waits so many seconds for the result before."
KEY: Final = "The same key is the same run: its outcome is answered once more."


def of_workflow(capability: Capability) -> Schema:
    """Return the paths of one workflow."""
    body = {"type": "object", "properties": {"inputs": capability.inputs.schema()}, "additionalProperties": False}
    done = answered("What it gave.", capability.output())
    done["content"] |= STREAM
    accepted = answered("It runs; Location is the job.", JOB)
    execute = {
        "operationId": f"execute_{capability.name}",
        "summary": capability.summary,
        "tags": ["workflows"],
        "parameters": [_header("Prefer", PREFER), _header("Idempotency-Key", KEY)],
        "requestBody": {"content": {"application/json": {"schema": body}}},
        "responses": {"200": done, "202": accepted, "default": REFUSED},
    }
    about = _operation(f"describe_{capability.name}", f"Describe the workflow {capability.name}.", INFORMATION)
    return {
        f"/workflows/{capability.name}/execute": {"post": execute},
        f"/workflows/{capability.name}/workflow/info": {"get": about},
    }


def of_jobs() -> Schema:
    """Return the paths of jobs."""
    jobs = {"type": "object", "properties": {"jobs": {"type": "array", "items": JOB}}, "required": ["jobs"]}
    id = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    events = _operation("watch_job", "Follow a job, an event a step.", {})
    events["responses"]["200"]["content"] = STREAM
    return {
        "/jobs": {"get": _operation("list_jobs", "List your jobs, the latest first.", jobs)},
        "/jobs/{id}": {
            "parameters": id,
            "get": _operation("read_job", "Read a job: its status, its result.", JOB),
            "delete": _operation("cancel_job", "Cancel a job.", JOB, status="202"),
        },
        "/jobs/{id}/events": {"parameters": id, "get": events},
    }


def _operation(id: str, summary: str, schema: Schema, *, status: str = "200") -> dict[str, Any]:
    return {
        "operationId": id,
        "summary": summary,
        "tags": ["workflows"],
        "responses": {status: answered("As asked.", schema), "default": REFUSED},
    }


def _header(name: str, description: str) -> Schema:
    return {"name": name, "in": "header", "required": False, "schema": {"type": "string"}, "description": description}
