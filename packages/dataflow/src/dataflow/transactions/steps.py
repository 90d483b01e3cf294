"""The node types of transactions: start, commit, roll back, savepoint. Any database offers them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, Protocol, TypeAlias

import msgspec

from dataflow.effects import DataPlan
from dataflow.executors.transaction import checked_isolation
from dataflow.transactions.block import Block
from dataflow.transactions.held import KEY, HeldTransaction, ending, held
from dataflow.transactions.joined import JOINED, Home, Joined
from dataflow.transactions.late import ablock
from kailash.nodes.nodetype import NodeType, Values
from kailash.nodes.parameters import Parameters
from kailash.nodes.scope import Scope
from kailash.shapes import Field

ID: Final = Field("transaction_id", str | None, None, "the id that the start gave; the open transaction if absent")


class Writes(AbstractContextManager[Any], Protocol):
    """Writes the records of a run's finished steps in the transaction of their effects, around which it stands."""

    def plan(self, output: Any) -> DataPlan[None]:
        """Return the plan that writes them, that of this step too."""


FindWriter: TypeAlias = Callable[[Scope, Home | None], Writes | None]


def node_types(home: Home, writer: FindWriter) -> dict[str, NodeType]:
    """Return {name: type} of the steps of transactions, as the database *home* offers them."""
    start, end = _start(home), _Commit(writer)
    mark = _step("TransactionSavepointNode", _mark, _amark, [NAME], "Remember a point to which one can go back.")
    roll_back = _step("TransactionRollbackNode", _roll_back, _aroll_back, [ID, REASON, BACK_TO], "Undo a transaction.")
    return {
        "TransactionStartNode": start,
        "TransactionScopeNode": start,
        "TransactionCommitNode": _step("TransactionCommitNode", end.run, end.arun, [ID, STRICT], "Keep a transaction."),
        "TransactionRollbackNode": roll_back,
        "TransactionSavepointNode": mark,
    }


def _step(name: str, run: Any, arun: Any, fields: list[Field], summary: str) -> NodeType:
    return NodeType(
        name=name, run=run, arun=arun, inputs=Parameters(name, fields), effect="writes", native=True, summary=summary
    )


NAME: Final = Field("name", str, "savepoint", "what to call it")
REASON: Final = Field("reason", str | None, None, "what the results say about it")
BACK_TO: Final = Field("savepoint", str | None, None, "only back to this savepoint")
STRICT: Final = Field("rollback_on_error", bool, True, "undo everything if a step failed whose failure was let pass")
LEVEL: Final = Field("isolation_level", str | None, None, "READ_COMMITTED, REPEATABLE_READ or SERIALIZABLE")


# -- start ---------------------------------------------------------------------------------------------------


def _start(offered: Home) -> NodeType:
    made = _step("TransactionStartNode", *_begins(None), [LEVEL], "Begin a transaction that the steps after it join.")

    def prepare(config: Mapping[str, Any]) -> NodeType:
        """Begin in the database that is named; check a constant level where it is written."""
        level = config.get("isolation_level")
        if isinstance(level, str) and not level.startswith(("$", "{")):
            checked_isolation(level)
        if config.get("db_instance") is None:
            return made
        run, arun = _begins(offered)
        return _step(made.name, run, arun, [LEVEL], made.summary)

    return msgspec.structs.replace(made, prepare=prepare)


def _begins(home: Home | None) -> tuple[Any, Any]:
    def run(values: Values, scope: Scope) -> Values:
        return _begun(scope, Block(home, values.get("isolation_level"), _around(scope)))

    async def arun(values: Values, scope: Scope) -> Values:
        return _begun(scope, ablock.AsyncBlock(home, values.get("isolation_level"), _around(scope)))

    return run, arun


def _around(scope: Scope) -> Joined | None:
    found = held(scope)
    return found.levels[-1].block if found is not None else JOINED.get()


def _begun(scope: Scope, block: Joined, name: str = "") -> Values:
    found = held(scope)
    if found is None:
        found = HeldTransaction(scope)
        scope.hold(KEY, found)
    level = found.add(block, name)
    return {"id": level.id, "transaction_id": level.id, "isolation_level": block.isolation or None, "status": "started"}


def _mark(values: Values, scope: Scope) -> Values:
    ending(scope, None)
    return {**_begun(scope, Block(None, None, _around(scope)), values["name"]), "savepoint": values["name"]}


async def _amark(values: Values, scope: Scope) -> Values:
    ending(scope, None)
    return {**_begun(scope, ablock.AsyncBlock(None, None, _around(scope)), values["name"]), "savepoint": values["name"]}


# -- the end -------------------------------------------------------------------------------------------------


def _keeps(found: HeldTransaction, scope: Scope, values: Values) -> bool:
    """Whether a commit keeps anything: not after a failure, let pass or not, unless the author wants that."""
    return not values.get("rollback_on_error", True) or len(scope.failures) == found.transaction.failures


class _Commit:
    """Keeps a transaction, and with it the journal's records of what was done in it."""

    def __init__(self, writer: FindWriter) -> None:
        self._writer = writer

    def run(self, values: Values, scope: Scope) -> Values:
        """Commit, blocking."""
        found = ending(scope, values.get("transaction_id"))
        keep = _keeps(found, scope, values)
        output = _ended(found.transaction.id, committed=keep)
        writer = self._writer_of(found, scope) if keep else None
        with writer or nullcontext():
            if writer is not None:
                found.levels[-1].block.run(writer.plan(output))
            for level in found.dropped():
                level.block.commit() if keep else level.block.rollback()
        return output

    async def arun(self, values: Values, scope: Scope) -> Values:
        """Commit, under asyncio."""
        found = ending(scope, values.get("transaction_id"))
        keep = _keeps(found, scope, values)
        output = _ended(found.transaction.id, committed=keep)
        writer = self._writer_of(found, scope) if keep else None
        with writer or nullcontext():
            if writer is not None:
                await found.levels[-1].block.arun(writer.plan(output))
            for level in found.dropped():
                await (level.block.commit() if keep else level.block.rollback())
        return output

    def _writer_of(self, found: HeldTransaction, scope: Scope) -> Writes | None:
        """What writes the records; nothing for a nested one, whose steps wait for the outer one."""
        return self._writer(scope, found.levels[0].block.home) if found.transaction is found.levels[0] else None


def _roll_back(values: Values, scope: Scope) -> Values:
    found = ending(scope, values.get("transaction_id"))
    id, name = found.transaction.id, values.get("savepoint")
    for level in found.dropped(name):
        level.block.rollback()
    if name is not None:
        return _mark({"name": name}, scope)
    return {**_ended(id, committed=False), "reason": values.get("reason")}


async def _aroll_back(values: Values, scope: Scope) -> Values:
    found = ending(scope, values.get("transaction_id"))
    id, name = found.transaction.id, values.get("savepoint")
    for level in found.dropped(name):
        await level.block.rollback()
    if name is not None:
        return await _amark({"name": name}, scope)
    return {**_ended(id, committed=False), "reason": values.get("reason")}


def _ended(id: str, *, committed: bool) -> Values:
    status = "committed" if committed else "rolled_back"
    return {"id": id, "status": status, "committed": committed, "rolled_back": not committed}
