"""What each method of each path does: request -> call -> reply.

Rule: an endpoint knows inputs and results of a capability as `kailash.capability` names them, and nothing else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any, Final, TypeAlias
from urllib.parse import quote

from kailash.capability import Capability
from kailash.errors import InvalidInputError, Problem, did_you_mean
from kailash.shapes import encode_json
from nexus.call import Answer, Call
from nexus.channels.rest import params, reply
from nexus.channels.rest.refusals import PreconditionFailedError
from nexus.channels.rest.reply import JSON, Reply
from nexus.channels.rest.request import Request

Endpoint: TypeAlias = Callable[[Request], Awaitable[Reply]]
Make: TypeAlias = Callable[[Capability, Answer], Endpoint]

REPRESENTATION: Final = b"return=representation"
MINIMAL: Final = b"return=minimal"
BULK: Final = ("create", "update", "delete", "upsert")


async def _value(request: Request, answer: Answer, name: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the capability answers to *inputs*. Raises: the error of the outcome."""
    outcome = await answer(Call("rest", name, inputs, request.credentials, request.request_id))
    if outcome.error is not None:
        raise outcome.error
    return outcome.value


def listing(capability: Capability, answer: Answer) -> Endpoint:
    """GET /products: a page of records."""
    name, record, also = capability.name, capability.record, _optional(capability)

    async def endpoint(request: Request) -> Reply:
        query = request.scope["query_string"]
        value = await _value(request, answer, name, params.for_list(query, record, also() if query else params.NONE))
        cursor = value.get("next_cursor")
        page = {"items": value["records"], "next": cursor}
        if "total" in value:
            page["total"] = value["total"]
        headers = [JSON]
        if cursor is not None:
            target = f"{request.scope['path']}?{params.next_page(query, cursor)}"
            if not (target.isascii() and target.isprintable()):
                target = quote(target, safe="?=&;%/:@!$'()*+,~")
            headers.append((b"link", f'<{target}>; rel="next"'.encode("ascii")))
        return Reply(200, encode_json(page), headers)

    return endpoint


def count(capability: Capability, answer: Answer) -> Endpoint:
    """GET /products/count: how many records a filter means."""
    also = _optional(capability)

    async def endpoint(request: Request) -> Reply:
        inputs = params.for_count(request.scope["query_string"], capability.record, also())
        return reply.of_value(await _value(request, answer, capability.name, inputs))

    return endpoint


def aggregate(capability: Capability, answer: Answer) -> Endpoint:
    """GET /products/aggregate: what is computed of each group of records."""
    also = _optional(capability)

    async def endpoint(request: Request) -> Reply:
        inputs = params.for_totals(request.scope["query_string"], capability.record, also())
        value = await _value(request, answer, capability.name, inputs)
        return Reply(200, encode_json({"items": value["groups"]}), [JSON])

    return endpoint


def read(capability: Capability, answer: Answer) -> Endpoint:
    """GET /products/7: one record."""
    name, key, also = capability.name, _key(capability), _optional(capability)
    clean = _without(capability, "found")

    async def endpoint(request: Request) -> Reply:
        inputs = {"id": key(request.key)}
        if query := request.scope["query_string"]:
            inputs.update(params.for_one(query, also()))
        return Reply(200, encode_json(clean(await _value(request, answer, name, inputs))), [JSON])

    return endpoint


def history(capability: Capability, answer: Answer) -> Endpoint:
    """GET /products/7/history: the versions of a record, the latest first."""
    key, also = _key(capability), _optional(capability)

    async def endpoint(request: Request) -> Reply:
        inputs = {"id": key(request.key), **params.for_versions(request.scope["query_string"], also())}
        value = await _value(request, answer, capability.name, inputs)
        return Reply(200, encode_json({"items": value["versions"]}), [JSON])

    return endpoint


def again(capability: Capability, answer: Answer) -> Endpoint:
    """POST /products/7/revert ``{"version": 1}`` and POST /products/7/restore: a record that is as it was."""
    key, clean = _key(capability), _without(capability, "updated", "rows_affected")

    async def endpoint(request: Request) -> Reply:
        _check_precondition(request)
        params.only(request.scope["query_string"], {})
        inputs = await request.document() if capability.action == "revert" else {}
        value = await _value(request, answer, capability.name, {**inputs, "id": key(request.key)})
        return _stored(request, clean(value), 200)

    return endpoint


def purge(capability: Capability, answer: Answer) -> Endpoint:
    """POST /products/7/purge: a record that is marked as deleted is gone for good."""
    key = _key(capability)

    async def endpoint(request: Request) -> Reply:
        _check_precondition(request)
        params.only(request.scope["query_string"], {})
        await _value(request, answer, capability.name, {"id": key(request.key)})
        return reply.empty()

    return endpoint


def create(capability: Capability, answer: Answer) -> Endpoint:
    """POST /products: a new record, and where it is."""

    async def endpoint(request: Request) -> Reply:
        params.only(request.scope["query_string"], {})
        record = await _value(request, answer, capability.name, await request.document())
        return _stored(request, record, 201, request.scope["path"])

    return endpoint


def update(capability: Capability, answer: Answer) -> Endpoint:
    """PUT and PATCH /products/7: the given fields change, the others stay."""
    key, clean = _key(capability), _without(capability, "updated", "rows_affected")
    changes = _free(capability, ("fields", "updates", "update"))

    async def endpoint(request: Request) -> Reply:
        _check_precondition(request)
        params.only(request.scope["query_string"], {})
        fields = await request.document()
        identity = key(request.key)
        if "id" in fields:
            _check_same(fields.pop("id"), identity, capability)
        value = await _value(request, answer, capability.name, {"id": identity, changes: fields})
        return _stored(request, clean(value), 200)

    return endpoint


def delete(capability: Capability, answer: Answer) -> Endpoint:
    """DELETE /products/7."""
    key = _key(capability)

    async def endpoint(request: Request) -> Reply:
        _check_precondition(request)
        params.only(request.scope["query_string"], {})
        value = await _value(request, answer, capability.name, {"id": key(request.key)})
        if request.prefers(REPRESENTATION):
            return _applied(reply.of_value(value), REPRESENTATION)
        return reply.empty()

    return endpoint


def upsert(capability: Capability, answer: Answer) -> Endpoint:
    """PUT /products and POST /products/upsert: a record that was there or is now."""

    async def endpoint(request: Request) -> Reply:
        given = params.only(request.scope["query_string"], {"conflict_on": params.names})
        inputs = {**await request.document(), **given}
        value = await _value(request, answer, capability.name, inputs)
        collection = request.scope["path"].removesuffix("/upsert")
        return _stored(request, value["record"], 201 if value["created"] else 200, collection)

    return endpoint


def bulk(capabilities: Mapping[str, Capability], answer: Answer) -> Endpoint:
    """POST /products/bulk: ``{"operation": "create", "records": [...]}`` and its three siblings."""
    offered = [operation for operation in BULK if f"bulk_{operation}" in capabilities]

    async def endpoint(request: Request) -> Reply:
        params.only(request.scope["query_string"], {})
        inputs = await request.document()
        operation = inputs.pop("operation", None)
        if operation not in offered:
            raise _unknown_operation(operation, offered)
        if "records" in inputs and "data" not in inputs:
            inputs["data"] = inputs.pop("records")
        name = capabilities[f"bulk_{operation}"].name
        return reply.of_value(await _value(request, answer, name, inputs))

    return endpoint


def _stored(request: Request, record: Mapping[str, Any], status: int, collection: str = "") -> Reply:
    """Return the reply that shows a stored record, or only says so if the client prefers that."""
    if request.prefers(MINIMAL):
        answer = _applied(reply.empty(204 if status == 200 else status), MINIMAL)
    else:
        answer = Reply(status, encode_json(record), [JSON])
    if status == 201 and "id" in record:
        answer.headers.append((b"location", f"{collection.rstrip('/')}/{quote(str(record['id']), safe='')}".encode()))
    return answer


def _applied(answer: Reply, preference: bytes) -> Reply:
    answer.headers.append((b"preference-applied", preference))
    return answer


def _optional(capability: Capability) -> Callable[[], params.Readers]:
    """Return what tells which parameters the query string may give besides; it looks once, when it is first asked."""
    return cache(lambda: params.optional(capability.inputs.schema()))


def _key(capability: Capability) -> Callable[[str], Any]:
    """Return what reads an id from a path; it raises InvalidInputError before any database is asked."""
    record = capability.record
    if record is None or "id" not in record.fields:
        return str

    def key(text: str) -> Any:
        return record.read_text("id", text)

    return key


def _without(capability: Capability, *marks: str) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """Return what takes the marks of the operation off a record; a field of the same name stays."""
    known = capability.record.fields if capability.record is not None else {}
    unwanted = tuple(mark for mark in marks if mark not in known)

    def clean(value: Mapping[str, Any]) -> Mapping[str, Any]:
        record = dict(value)
        for mark in unwanted:
            record.pop(mark, None)
        return record

    return clean


def _free(capability: Capability, spellings: tuple[str, ...]) -> str:
    """Return the first of the spellings of a parameter that is no field of the record."""
    known = capability.record.fields if capability.record is not None else {}
    return next((name for name in spellings if name not in known), spellings[0])


def _check_precondition(request: Request) -> None:
    """Refuse ``If-Match`` with a version: no record has one yet (RFC 9110, 13.1.1: then the condition is false)."""
    if request.headers.get(b"if-match", b"*").strip() != b"*":
        raise PreconditionFailedError("records have no entity tags in this version", hint="leave If-Match out")


def _check_same(given: Any, identity: Any, capability: Capability) -> None:
    checked = capability.record.check_value("id", given) if capability.record is not None else given
    if checked != identity:
        problem = Problem("id", "constraint", "the id of a record does not change")
        raise InvalidInputError("'id' is not the one in the path", hint="leave it out", problems=[problem])


def _unknown_operation(operation: Any, offered: list[str]) -> InvalidInputError:
    hint = did_you_mean(operation if isinstance(operation, str) else "", offered)
    if operation is None:
        problem = Problem("operation", "missing", "'operation' is missing")
    else:
        problem = Problem("operation", "constraint", f"'operation' is none of: {', '.join(offered)}")
    return InvalidInputError(problem.message, hint=hint, problems=[problem])
