"""The OpenAPI 3.1 document of what a catalogue offers over HTTP, made when somebody asks for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from typing import Any, Final

from kailash.capability import Capability
from nexus.channels.rest import openapi_past as parts
from nexus.channels.rest import openapi_runs as runs
from nexus.channels.rest.openapi_parts import PROBLEM, REFUSED, Schema, answered, query
from nexus.channels.rest.params import DEFAULT_LIMIT, MAX_LIMIT, RESERVED, TOTALS
from nexus.options import Options

BULK: Final[Schema] = {
    "type": "object",
    "properties": {
        "operation": {"enum": ["create", "update", "delete", "upsert"]},
        "records": {"type": "array", "items": {"type": "object"}, "description": "Also spelled data."},
        "filter": {"type": "object", "description": "Which records to update or delete."},
        "ids": {"type": "array", "description": "Which records to delete."},
        "fields": {"type": "object", "description": "What an update with a filter sets."},
        "conflict_on": {"type": "array", "items": {"type": "string"}},
        "on_conflict": {"enum": ["error", "skip"]},
        "conflict_resolution": {"enum": ["update", "skip", "error"]},
        "atomic": {"type": "boolean"},
        "confirmed": {"type": "boolean", "description": "Needed for a change without a filter."},
    },
    "required": ["operation"],
}


def describe(capabilities: Sequence[Capability], options: Options, *, own: Mapping[str, Any]) -> Schema:
    """Return the document; own: the one of the endpoints that the program wrote itself."""
    by_resource: defaultdict[str, dict[str, Capability]] = defaultdict(dict)
    paths: Schema = {}
    schemas: Schema = {"Problem": PROBLEM}
    for capability in capabilities:
        if capability.resource:
            by_resource[capability.resource][capability.action] = capability
        else:
            paths.update(runs.of_workflow(capability))
    for resource, actions in sorted(by_resource.items()):
        names = _Resource(resource, actions)
        schemas.update(names.schemas())
        paths.update({f"{options.api_prefix}/{resource}{path}": item for path, item in names.paths().items()})
    if any(not capability.resource for capability in capabilities):
        paths.update(runs.of_jobs())
    paths.update(own.get("paths", {}))
    for name, schema in own.get("components", {}).get("schemas", {}).items():
        schemas.setdefault(name, schema)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": options.title,
            "version": options.version,
            **({"description": options.description} if options.description else {}),
        },
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": schemas},
        "tags": [{"name": resource} for resource in sorted(by_resource)],
    }


class _Resource:
    """The paths and schemas of one resource."""

    def __init__(self, resource: str, actions: Mapping[str, Capability]) -> None:
        self._resource = resource
        self._actions = actions
        self._record = next((each.record for each in actions.values() if each.record is not None), None)
        self._name = self._record.name if self._record is not None else resource

    def schemas(self) -> Schema:
        made: Schema = {self._name: self._record.schema() if self._record is not None else {"type": "object"}}
        for action in ("list", "read"):
            if self._include(action):
                made[f"{self._name}Found"] = self._found(action)
        if (create := self._actions.get("create")) is not None:
            made[f"{self._name}Create"] = create.inputs.schema()
        if self._record is not None:
            changes = self._record.schema(partial=True)
            changes.get("properties", {}).pop("id", None)
            made[f"{self._name}Changes"] = {
                **changes,
                "additionalProperties": True,
                "description": "The fields to change.",
            }
        if (upsert := self._actions.get("upsert")) is not None:
            made[f"{self._name}Upsert"] = upsert.inputs.schema()
        return made

    def paths(self) -> Schema:
        bulk = any(action.startswith("bulk_") for action in self._actions)
        found: Schema = {
            "": self._collection(),
            "/{id}": self._item(),
            "/count": {"get": self._count()} if "count" in self._actions else {},
            "/aggregate": {"get": self._aggregate()} if "aggregate" in self._actions else {},
            "/upsert": {"post": self._upsert("post")} if "upsert" in self._actions else {},
            "/bulk": {"post": self._bulk()} if bulk else {},
            **parts.paths(self._actions, self._operation, _ref(self._name), self._id),
        }
        return {path: item for path, item in found.items() if item}

    def _collection(self) -> Schema:
        made: Schema = {}
        if "list" in self._actions:
            parameters = [*_page_parameters(), *self._also("list"), *self._filters()]
            page: Schema = {
                "type": "object",
                "properties": {
                    "items": {"type": "array", "items": self._shown("list")},
                    "next": {"type": ["string", "null"], "description": "The cursor of the next page."},
                    "total": {"type": "integer", "description": "Only with count=exact."},
                },
                "required": ["items", "next"],
            }
            made["get"] = self._operation("list", {"200": answered("A page of records.", page)}, parameters=parameters)
        if "create" in self._actions:
            made["post"] = self._operation(
                "create", {"201": answered("The stored record.", _ref(self._name))}, body=_ref(f"{self._name}Create")
            )
        if "upsert" in self._actions:
            made["put"] = self._upsert("put")
        return made

    def _item(self) -> Schema:
        made: Schema = {}
        record = {"200": answered("The record.", _ref(self._name))}
        if "read" in self._actions:
            found = {"200": answered("The record.", self._shown("read"))}
            parameters = [query("fields", {"type": "string"}, FIELDS), *self._also("read")]
            made["get"] = self._operation("read", found, parameters=parameters)
        if "update" in self._actions:
            for method in ("put", "patch"):
                made[method] = self._operation("update", record, body=_ref(f"{self._name}Changes"), suffix=f"_{method}")
        if "delete" in self._actions:
            made["delete"] = self._operation("delete", {"204": {"description": "It is gone."}})
        if made:
            made["parameters"] = [{"name": "id", "in": "path", "required": True, "schema": self._id()}]
        return made

    def _aggregate(self) -> Schema:
        items: Schema = {"type": "array", "items": {"type": "object"}}
        groups: Schema = {"type": "object", "properties": {"items": items}, "required": ["items"]}
        inputs = self._actions["aggregate"].inputs.schema()["properties"]
        own = [
            query(name, {"type": "string"}, inputs[name].get("description", "")) for name in TOTALS if name in inputs
        ]
        answer = {"200": answered("A row for each group.", groups)}
        parameters = [*own, *self._also("aggregate"), *self._filters(TOTALS)]
        return self._operation("aggregate", answer, parameters=parameters)

    def _count(self) -> Schema:
        number: Schema = {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]}
        parameters = [query("filter", {"type": "string"}, FILTER), *self._also("count"), *self._filters()]
        return self._operation("count", {"200": answered("How many.", number)}, parameters=parameters)

    def _upsert(self, method: str) -> Schema:
        answers = {
            "200": answered("It was there.", _ref(self._name)),
            "201": answered("It was created.", _ref(self._name)),
        }
        return self._operation("upsert", answers, body=_ref(f"{self._name}Upsert"), suffix=f"_{method}")

    def _bulk(self) -> Schema:
        answers = {"200": answered("What was done.", {"type": "object"})}
        operation = self._operation("bulk", answers, body=BULK)
        operation["summary"] = f"Create, update, delete or upsert many {self._resource} at once."
        return operation

    def _operation(
        self,
        action: str,
        answers: Schema,
        *,
        parameters: list[Schema] | None = None,
        body: Schema | None = None,
        suffix: str = "",
    ) -> Schema:
        capability = self._actions.get(action)
        operation: Schema = {
            "operationId": f"{action}_{self._resource}{suffix}",
            "summary": capability.summary if capability is not None else action,
            "tags": [self._resource],
            "responses": {**answers, "default": REFUSED},
        }
        if parameters:
            operation["parameters"] = parameters
        if body is not None:
            operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
        return operation

    def _filters(self, reserved: Container[str] = RESERVED) -> list[Schema]:
        if self._record is None:
            return []
        properties = self._record.schema(partial=True).get("properties", {})
        made = []
        for name, schema in properties.items():
            key = f"{name}__eq" if name in reserved else name
            made.append(query(key, schema, f"Only records whose {name} is this; {name}__gte and the like work too."))
        return made

    def _also(self, action: str) -> list[Schema]:
        """The parameters that only some resources have."""
        return [*self._include(action), *parts.optional(self._actions[action])]

    def _include(self, action: str) -> list[Schema]:
        """The parameter that brings related records along, where there are any."""
        capability = self._actions.get(action)
        said = capability.inputs.schema().get("properties", {}).get("include") if capability is not None else None
        return [query("include", {"type": "string"}, said.get("description", ""))] if said else []

    def _shown(self, action: str) -> Schema:
        return _ref(f"{self._name}Found" if self._include(action) else self._name)

    def _found(self, action: str) -> Schema:
        """A record as a read or a list shows it, with what may come along."""
        output = self._actions[action].output()
        record: Schema = output["properties"]["records"]["items"] if action == "list" else output
        properties = {name: schema for name, schema in record["properties"].items() if name != "found"}
        return {"type": "object", "properties": properties, "additionalProperties": False}

    def _id(self) -> Schema:
        if self._record is None:
            return {"type": "string"}
        schema: Schema = self._record.schema().get("properties", {}).get("id", {"type": "string"})
        return schema


FIELDS: Final = "Names with commas between; the answer has only these."
FILTER: Final = 'A JSON object, for example {"price": {"$gte": 5}}.'


def _page_parameters() -> list[Schema]:
    size: Schema = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
    return [
        query("limit", size, "Page size."),
        query("offset", {"type": "integer", "minimum": 0}, "Records to skip; a cursor is faster."),
        query("cursor", {"type": "string"}, "The next of the page before."),
        query("sort", {"type": "string"}, "Names with commas between; -name is descending."),
        query("fields", {"type": "string"}, FIELDS),
        query("filter", {"type": "string"}, FILTER),
        query("count", {"enum": ["exact", "none"]}, "exact also gives total."),
    ]


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
