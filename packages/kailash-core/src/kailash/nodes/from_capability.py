"""A capability as a node type: the node, the route, the command and the tool are one thing."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any

from kailash.capability import Capability, Nature
from kailash.nodes.nodetype import NodeType, Values
from kailash.nodes.scope import Scope


def node_type_of(capability: Capability, name: str = "", *, waits: bool | None = None) -> NodeType:
    """Return the node type that does what *capability* does.

    name: default ``<Record><Action>Node`` ("ProductCreateNode"), or the capability's own name for a workflow.
    waits: whether a blocking call waits on a server, so that two of them gain from two threads.
    """
    accept, call, acall = capability.inputs.accept, capability.call, capability.acall

    def run(values: Values, scope: Scope) -> Mapping[str, Any]:
        return call(accept(values), scope.context)

    def arun(values: Values, scope: Scope) -> Awaitable[Mapping[str, Any]]:
        return acall(accept(values), scope.context)

    return NodeType(
        name=name or _name(capability),
        run=run,
        arun=arun,
        inputs=capability.inputs,
        effect="reads" if capability.nature is Nature.READ else "writes",
        summary=capability.summary,
        waits=waits,
        native=True,
    )


def _name(capability: Capability) -> str:
    if capability.record is not None and capability.action:
        return f"{capability.record.name}{camel(capability.action)}Node"
    return f"{camel(capability.name)}Node"


def camel(words: str) -> str:
    """Return "bulk_create" or "orders.process" in CamelCase."""
    return "".join(word[:1].upper() + word[1:] for word in words.replace(".", "_").replace("-", "_").split("_"))
