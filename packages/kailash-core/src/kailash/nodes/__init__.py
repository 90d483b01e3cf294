"""Nodes: kinds of step, how they are declared, and where they are found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kailash._lazy import exports

if TYPE_CHECKING:
    from kailash.nodes.base import AsyncNode, Node, NodeParameter, node, register_node
    from kailash.nodes.nodetype import NodeType
    from kailash.nodes.registry import NodeRegistry
    from kailash.nodes.scope import Scope

__all__ = ["AsyncNode", "Node", "NodeParameter", "NodeRegistry", "NodeType", "Scope", "node", "register_node"]

__getattr__, __dir__ = exports(
    __name__,
    {
        "AsyncNode": "kailash.nodes.base",
        "Node": "kailash.nodes.base",
        "NodeParameter": "kailash.nodes.base",
        "NodeRegistry": "kailash.nodes.registry",
        "NodeType": "kailash.nodes.nodetype",
        "Scope": "kailash.nodes.scope",
        "node": "kailash.nodes.base",
        "register_node": "kailash.nodes.base",
    },
)
