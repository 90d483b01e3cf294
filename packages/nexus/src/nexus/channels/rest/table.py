"""The dispatch table: path and method -> endpoint, made from the catalogue, by two dict look-ups.

Rule: ``bulk``, ``count``, ``upsert`` and ``aggregate`` are words of the path, never ids.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, TypeAlias

import msgspec

from kailash.capability import Capability
from nexus.call import Answer
from nexus.channels.rest import endpoints
from nexus.channels.rest.endpoints import Make
from nexus.channels.rest.refusals import MethodNotAllowedError
from nexus.channels.rest.reply import Reply, Stream
from nexus.channels.rest.request import Request

Endpoint: TypeAlias = Callable[[Request], Awaitable[Reply | Stream]]

Methods: TypeAlias = Mapping[str, Endpoint]

COLLECTION: Final[Mapping[str, tuple[str, Make]]] = {
    "GET": ("list", endpoints.listing),
    "POST": ("create", endpoints.create),
    "PUT": ("upsert", endpoints.upsert),
}
ITEM: Final[Mapping[str, tuple[str, Make]]] = {
    "GET": ("read", endpoints.read),
    "PUT": ("update", endpoints.update),
    "PATCH": ("update", endpoints.update),
    "DELETE": ("delete", endpoints.delete),
}
NAMED: Final[Mapping[str, Mapping[str, tuple[str, Make]]]] = {
    "count": {"GET": ("count", endpoints.count)},
    "aggregate": {"GET": ("aggregate", endpoints.aggregate)},
    "upsert": {"POST": ("upsert", endpoints.upsert)},
}


PARTS: Final[Mapping[str, Mapping[str, tuple[str, Make]]]] = {
    "history": {"GET": ("history", endpoints.history)},
    "revert": {"POST": ("revert", endpoints.again)},
    "restore": {"POST": ("restore", endpoints.again)},
    "purge": {"POST": ("purge", endpoints.purge)},
}


class Resource(msgspec.Struct, frozen=True):
    """The paths of one resource."""

    collection: Methods  # /products
    item: Methods  # /products/{id}
    parts: dict[str, Methods]  # /products/{id}/history
    named: dict[str, Methods]  # /products/bulk


class Table(msgspec.Struct, frozen=True):
    """Every path of resources that is made from one state of the catalogue."""

    resources: dict[str, Resource]  # "order_items" and "order-items" are the same one


def build(capabilities: Iterable[Capability], answer: Answer) -> Table:
    """Return the table of *capabilities*."""
    by_resource: defaultdict[str, dict[str, Capability]] = defaultdict(dict)
    for capability in capabilities:
        if capability.resource:
            by_resource[capability.resource][capability.action] = capability
    resources: dict[str, Resource] = {}
    for name, actions in by_resource.items():
        resource = _resource(actions, answer)
        resources[name] = resource
        resources.setdefault(name.replace("_", "-"), resource)
    return Table(resources)


def choose(methods: Methods, method: str) -> Endpoint:
    """Return the endpoint of *method*; HEAD is GET. Raises: MethodNotAllowedError, with what is allowed."""
    found = methods.get(method)
    if found is None and method == "HEAD":
        found = methods.get("GET")
    if found is None:
        raise MethodNotAllowedError(method, allowed(methods))
    return found


def allowed(methods: Mapping[str, object]) -> tuple[str, ...]:
    """Return the methods of a path, as ``Allow`` lists them."""
    known = [*methods, "OPTIONS"]
    if "GET" in methods:
        known.append("HEAD")
    return tuple(sorted(known))


def _resource(actions: Mapping[str, Capability], answer: Answer) -> Resource:
    named = {word: _methods(makes, actions, answer) for word, makes in NAMED.items()}
    parts = {word: _methods(makes, actions, answer) for word, makes in PARTS.items()}
    if any(f"bulk_{operation}" in actions for operation in endpoints.BULK):
        named["bulk"] = {"POST": endpoints.bulk(actions, answer)}
    return Resource(
        _methods(COLLECTION, actions, answer),
        _methods(ITEM, actions, answer),
        {word: methods for word, methods in parts.items() if methods},
        {word: methods for word, methods in named.items() if methods},
    )


def _methods(makes: Mapping[str, tuple[str, Make]], actions: Mapping[str, Capability], answer: Answer) -> Methods:
    return {method: make(actions[action], answer) for method, (action, make) in makes.items() if action in actions}
