"""Capabilities as workflow nodes: ``ProductCreateNode`` is ``products.create``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from kailash.capability import Capability
from kailash.nodes.from_capability import node_type_of
from kailash.nodes.nodetype import NodeType


class Source(Protocol):
    """What has the capabilities: a `dataflow.DataFlow`."""

    @property
    def revision(self) -> int:
        """A number that grows whenever ``capabilities`` would answer differently."""

    def capabilities(self) -> Iterable[Capability]:
        """Return what is offered now."""


class ModelNodes:
    """The node types of every model of one database, made when they are first asked for."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._revision = -1
        self._types: dict[str, NodeType] = {}

    def find(self, name: str) -> NodeType | None:
        """Return the node type of that name, or None."""
        return self._current().get(name)

    def names(self) -> Iterable[str]:
        """Return the names of all node types."""
        return self._current()

    def _current(self) -> dict[str, NodeType]:
        revision = self._source.revision
        if revision != self._revision:
            types = [node_type_of(capability) for capability in self._source.capabilities()]
            self._types = {each.name: each for each in types}
            self._revision = revision
        return self._types
