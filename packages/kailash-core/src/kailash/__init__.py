"""Workflows of typed nodes, and the contracts that dataflow and nexus meet on.

Three ideas: a *plan* asks and an executor answers; a *capability* is the only thing that a channel knows; a
*workflow* is a checked, frozen arrangement of nodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kailash._lazy import exports
from kailash._version import __version__

if TYPE_CHECKING:
    from kailash.capability import Capability, Catalogue, Nature, Provider
    from kailash.context import ANONYMOUS, Cancellation, Context
    from kailash.errors import KailashError, Kind
    from kailash.nodes.base import AsyncNode, Node, NodeParameter, node, register_node
    from kailash.nodes.registry import NodeRegistry
    from kailash.runtime.aio import AsyncLocalRuntime
    from kailash.runtime.as_capability import capability_of, get_runtime
    from kailash.runtime.local import LocalRuntime
    from kailash.workflow.builder import WorkflowBuilder
    from kailash.workflow.graph import Workflow
    from kailash.workflow.references import Literal, literal
    from kailash.workflow.retry import RetryPolicy

__all__ = [
    "ANONYMOUS", "AsyncLocalRuntime", "AsyncNode", "Cancellation", "Capability", "Catalogue", "Context",
    "KailashError", "Kind", "Literal", "LocalRuntime", "Nature", "Node", "NodeParameter", "NodeRegistry", "Provider",
    "RetryPolicy", "Workflow", "WorkflowBuilder", "__version__", "capability_of", "get_runtime", "literal", "node",
    "register_node",
]  # fmt: skip

__getattr__, __dir__ = exports(
    __name__,
    {
        "ANONYMOUS": "kailash.context",
        "AsyncLocalRuntime": "kailash.runtime.aio",
        "AsyncNode": "kailash.nodes.base",
        "Cancellation": "kailash.context",
        "Capability": "kailash.capability",
        "Catalogue": "kailash.capability",
        "Context": "kailash.context",
        "KailashError": "kailash.errors",
        "Kind": "kailash.errors",
        "Literal": "kailash.workflow.references",
        "LocalRuntime": "kailash.runtime.local",
        "Nature": "kailash.capability",
        "Node": "kailash.nodes.base",
        "NodeParameter": "kailash.nodes.base",
        "NodeRegistry": "kailash.nodes.registry",
        "Provider": "kailash.capability",
        "RetryPolicy": "kailash.workflow.retry",
        "Workflow": "kailash.workflow.graph",
        "WorkflowBuilder": "kailash.workflow.builder",
        "capability_of": "kailash.runtime.as_capability",
        "get_runtime": "kailash.runtime.as_capability",
        "literal": "kailash.workflow.references",
        "node": "kailash.nodes.base",
        "register_node": "kailash.nodes.base",
    },
)
