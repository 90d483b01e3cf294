"""Node types by name: those declared in code, those that come with kailash, and those that providers offer.

Rule 1: registering the same declaration again (same module and name) replaces it and never blocks.
Rule 2: a provider (a DataFlow) is asked by name, when a name is needed; the one added last answers first.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from importlib import import_module
from typing import Any, Final, Protocol

from kailash.errors import NodeConfigurationError, did_you_mean
from kailash.nodes.nodetype import NodeType

BUILT_IN: Final = {  # name -> module that has it in TYPES
    "ConditionalNode": "kailash.nodes.control",
    "SwitchNode": "kailash.nodes.control",
    "MergeNode": "kailash.nodes.control",
    "TransformNode": "kailash.nodes.control",
    "LoopNode": "kailash.nodes.nested",
    "MapNode": "kailash.nodes.nested",
    "WorkflowNode": "kailash.nodes.nested",
    "PythonCodeNode": "kailash.nodes.code",
    "HTTPRequestNode": "kailash.nodes.http",
}


class NodeProvider(Protocol):
    """Something that offers node types made when they are asked for, such as a database with models."""

    @property
    def name(self) -> str:
        """What ``db_instance=`` calls it; may be empty."""

    def node_type(self, name: str) -> NodeType | None:
        """Return the type of that name, or None when this provider has none."""

    def node_names(self) -> Iterable[str]:
        """Return the names that `node_type` answers now, for suggestions."""


class NodeRegistry:
    """Finds node types. Reading takes no lock; writing is thread-safe."""

    def __init__(self) -> None:
        self._types: dict[str, NodeType] = {}
        self._providers: tuple[NodeProvider, ...] = ()
        self._lock = threading.Lock()

    @classmethod
    def default(cls) -> NodeRegistry:
        """Return the registry that decorators write to and builders read from, unless they are given another."""
        return _DEFAULT

    @property
    def providers(self) -> tuple[NodeProvider, ...]:
        return self._providers

    def register(self, node_type: NodeType, *names: str) -> NodeType:
        """Offer *node_type* under its name and *names*.

        Raises: NodeConfigurationError when another declaration has one of the names.
        """
        with self._lock:
            for name in (node_type.name, *names):
                if name in BUILT_IN or ((known := self._types.get(name)) and not _same(known, node_type)):
                    raise NodeConfigurationError(
                        f"another node type is named {name!r}", hint="give one of them another name"
                    )
            self._types |= dict.fromkeys((node_type.name, *names), node_type)
        return node_type

    def add(self, provider: NodeProvider) -> None:
        """Ask *provider* too, before those added earlier. Adding it again makes it the first."""
        with self._lock:
            self._providers = (provider, *(each for each in self._providers if each is not provider))

    def withdraw(self, provider: NodeProvider) -> None:
        """Ask *provider* no longer (its database was closed)."""
        with self._lock:
            self._providers = tuple(each for each in self._providers if each is not provider)

    def find(self, name: str, *, provider: Any = None) -> NodeType | None:
        """Return the node type of that name, or None.

        provider: only what this provider (or the one of this name) offers; for ``db_instance=``.
        """
        if provider is not None:
            return self._of(provider, name)
        if found := self._types.get(name):
            return found
        if home := BUILT_IN.get(name):
            built_in: NodeType = import_module(home).TYPES[name]
            return built_in
        for each in self._providers:
            if found := each.node_type(name):
                return found
        return None

    def names(self) -> list[str]:
        """Return every known name, sorted."""
        offered = (name for provider in self._providers for name in provider.node_names())
        return sorted({*self._types, *BUILT_IN, *offered})

    def suggest(self, name: str) -> str:
        """Return a hint with the names closest to *name*."""
        return did_you_mean(name, self.names())

    def _of(self, wanted: Any, name: str) -> NodeType | None:
        for each in self._providers:
            if each is wanted or (each.name and each.name == wanted):
                return each.node_type(name)
        raise NodeConfigurationError(
            f"no database is named {wanted!r}", hint=did_you_mean(str(wanted), [each.name for each in self._providers])
        )


def _same(known: NodeType, offered: NodeType) -> bool:
    return known is offered or (known.origin != "" and known.origin == offered.origin)


_DEFAULT: Final = NodeRegistry()
