"""Capabilities as workflow nodes: ``ProductCreateNode`` is ``products.create``; and the steps of transactions.

A node of a model joins the transaction that its run holds, by itself or by ``transaction_id``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

import msgspec

from dataflow.runs import Writer, store_of
from dataflow.transactions import held, steps
from dataflow.transactions.joined import JOINED, Home
from kailash.capability import Capability, Inputs, Intake, Nature
from kailash.nodes.from_capability import node_type_of
from kailash.nodes.nodetype import NodeType, Values
from kailash.nodes.scope import Scope

JOINS: Final = "transaction_id"


class Source(Protocol):
    """What has the capabilities: a `dataflow.DataFlow`."""

    @property
    def revision(self) -> int:
        """A number that grows whenever ``capabilities`` would answer differently."""

    def capabilities(self) -> Iterable[Capability]:
        """Return what is offered now."""


class ModelNodes:
    """The node types of every model of one database, made when they are first asked for."""

    def __init__(self, source: Source, home: Home) -> None:
        self._source = source
        self._home = home
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
            types = [_joining(capability, self._home) for capability in self._source.capabilities()]
            self._types = steps.node_types(self._home, _writer) | {each.name: each for each in types}
            self._revision = revision
        return self._types


class JoiningIntake:
    """What a node of a model takes: what its capability does, and the transaction that it joins."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def schema(self) -> dict[str, Any]:
        """Return the schema of the capability: most nodes need not name their transaction."""
        return self._intake.schema()

    def accept(self, given: Inputs) -> Any:
        """Return what the capability accepts, without the transaction."""
        return self._intake.accept({name: value for name, value in given.items() if name != JOINS})


def _joining(capability: Capability, home: Home) -> NodeType:
    """Return the node type of *capability*, which joins the transaction of its run."""
    alone = node_type_of(capability)
    run, arun = alone.run, alone.arun
    assert run is not None
    assert arun is not None
    named = capability.record is None or JOINS not in capability.record.fields

    writes = capability.nature is not Nature.READ

    def alone_here(values: Values, scope: Scope) -> bool:
        """Whether there is neither a transaction nor a journal to think of."""
        return not (scope.around or (writes and scope.journal is not None) or (named and JOINS in values))

    def run_joined(values: Values, scope: Scope) -> Mapping[str, Any]:
        if alone_here(values, scope):
            return run(values, scope)  # type: ignore[no-any-return]
        found = _transaction(values, scope, named=named)
        if found is None:
            store = store_of(scope, home) if writes else None
            return run(values, scope) if store is None else store.step(scope, lambda: run(values, scope))
        token = JOINED.set(found.joined(home))
        try:
            return run(values, scope)  # type: ignore[no-any-return]
        finally:
            JOINED.reset(token)

    async def in_transaction(values: Values, scope: Scope) -> Mapping[str, Any]:
        found = _transaction(values, scope, named=named)
        if found is None:
            store = store_of(scope, home) if writes else None
            asked = arun(values, scope) if store is None else store.astep(scope, lambda: arun(values, scope))
            return await asked  # type: ignore[no-any-return]
        token = JOINED.set(found.joined(home))
        try:
            return await arun(values, scope)  # type: ignore[no-any-return]
        finally:
            JOINED.reset(token)

    def arun_joined(values: Values, scope: Scope) -> Any:
        return arun(values, scope) if alone_here(values, scope) else in_transaction(values, scope)

    inputs = JoiningIntake(capability.inputs) if named else capability.inputs
    return msgspec.structs.replace(alone, run=run_joined, arun=arun_joined, inputs=inputs)


def _transaction(values: Values, scope: Scope, *, named: bool) -> held.HeldTransaction | None:
    """Return the open transaction of the run. Raises: TransactionError when the step names another one."""
    found = held.held(scope)
    id = values.pop(JOINS, None) if named else None
    if found is not None:
        found.check(id)
    elif id is not None:
        raise held.unknown()
    return found


def _writer(scope: Scope, home: Home | None) -> Writer | None:
    """Return what writes the record of a step that ends a transaction, where the journal is in its database."""
    store = store_of(scope, home) if home is not None else None
    return None if store is None else Writer(store, scope)
