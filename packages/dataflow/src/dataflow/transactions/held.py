"""The transaction of a workflow's run: begun by one step, joined by those after it, ended by another or by the run.

Rule 1: it begins in the database of the first step that joins it, or in the one that ``db_instance`` names.
Rule 2: the steps of models join by themselves, and what the author's own functions do through ``db.express``.
Rule 3: one that nobody commits is undone, and a run that ends well with one open is told so.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from itertools import takewhile
from typing import Any, Final

import msgspec

from dataflow.errors import TransactionError
from dataflow.transactions.block import Block
from dataflow.transactions.joined import JOINED, Home, Joined
from kailash.errors import did_you_mean
from kailash.nodes.scope import Scope

KEY: Final = "dataflow.transaction"


class Level(msgspec.Struct, frozen=True):
    """One step that began: a transaction, or a savepoint of the one before."""

    id: str
    name: str
    block: Any  # a Block, or an AsyncBlock in a run under asyncio
    failures: int  # how many steps had failed before


class HeldTransaction:
    """What the run holds; the last of the levels is the one that steps join."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.levels: list[Level] = []

    def add(self, block: Joined, name: str) -> Level:
        """Make *block* the one that steps join."""
        level = Level(secrets.token_hex(16), name, block, len(self._scope.failures))
        self.levels.append(level)
        self._scope.around[JOINED] = block
        return level

    def drop(self) -> Level:
        """Forget the last level, which has ended or ends now."""
        level = self.levels.pop()
        if self.levels:
            self._scope.around[JOINED] = self.levels[-1].block
        else:
            self._scope.around.pop(JOINED, None)
            self._scope.release(KEY)
        return level

    @property
    def transaction(self) -> Level:
        """The innermost level that is no savepoint with a name."""
        return next(level for level in reversed(self.levels) if not level.name)

    def dropped(self, name: str | None = None) -> Iterator[Level]:
        """Drop and yield levels, the innermost first, to the savepoint *name* or the innermost transaction.

        Raises: TransactionError when there is no such savepoint.
        """
        names = list(takewhile(bool, [level.name for level in reversed(self.levels)]))
        if name is not None and name not in names:
            raise TransactionError(f"there is no savepoint {name!r}", hint=did_you_mean(name, names))
        last = name or ""
        while True:
            level = self.drop()
            yield level
            if level.name == last:
                return

    def check(self, id: Any) -> None:
        """Refuse the id of anything but an open transaction of this run; None is any. Raises: TransactionError."""
        if id is not None and all(level.id != id for level in self.levels):
            raise unknown()

    def joined(self, home: Home) -> Joined:
        """Return the block that a step of the database *home* joins. Raises: TransactionError for another database."""
        block: Joined = self.levels[-1].block
        if block.home is not None and block.home is not home:
            raise TransactionError(
                "the open transaction is of another database", hint="end it first; a transaction covers one database"
            )
        return block

    def close(self, *, success: bool) -> None:
        """Undo what is open. Raises: TransactionError where the run ended well."""
        while self.levels:
            self.drop().block.rollback()
        if success:
            raise _forgotten()

    async def aclose(self, *, success: bool) -> None:
        """Like `close`."""
        while self.levels:
            block = self.drop().block
            if isinstance(block, Block):
                block.rollback()
            else:
                await block.rollback()
        if success:
            raise _forgotten()


def held(scope: Scope) -> HeldTransaction | None:
    """Return the transaction that the run holds, or None."""
    found = scope.find(KEY)
    return found if isinstance(found, HeldTransaction) else None


def ending(scope: Scope, id: Any) -> HeldTransaction:
    """Return the transaction that a step ends; *id* is its own, or None. Raises: TransactionError."""
    found = held(scope)
    if found is None or not found.levels:
        raise TransactionError("no transaction is open here", hint="add a TransactionStartNode before")
    found.check(id)
    if id is not None and found.transaction.id != id:
        raise TransactionError("a nested transaction is still open", hint="end the inner one first")
    return found


def unknown() -> TransactionError:
    """Return the error of an id that is of no open transaction."""
    return TransactionError(
        "no transaction of this id is open in this run", hint='join one with "transaction_id": "$txn.id" before it ends'
    )


def _forgotten() -> TransactionError:
    return TransactionError(
        "the run ended with its transaction open, and everything in it was undone",
        hint="add a TransactionCommitNode, or a TransactionRollbackNode where nothing is to be kept",
    )
