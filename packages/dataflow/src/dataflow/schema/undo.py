"""Rollback: the reverse of what was recorded, as one plan, with what it would lose said beforehand."""

from __future__ import annotations

import time

import msgspec

from dataflow.errors import MigrationRefusedError, RollbackError
from dataflow.schema import carrying, history, registry, session
from dataflow.schema.changes import Change, CreateTable, RenameTable, reverse, table_of
from dataflow.schema.connection import Connection
from dataflow.schema.inspect import inspect
from dataflow.schema.measure import measure
from dataflow.schema.plan import Block, Plan, planned


class RolledBack(msgspec.Struct, frozen=True):
    """What a rollback did, or would do."""

    undone: tuple[int, ...]  # ids of rows of the history, last one first
    plan: Plan
    seconds: float = 0.0


def rollback(
    connection: Connection, application: str, timeout: float, to: int | None, *, dry_run: bool, accept: str
) -> RolledBack:
    """Undo the latest migration, or all after the one with the id *to* (0: all); in one transaction, or not at all.

    accept: the name of the plan, where it loses data.

    Raises: RollbackError; MigrationRefusedError; MigrationLockedError.
    """
    if dry_run:
        return _planned(connection, to)
    began = time.perf_counter()
    with session.transaction(connection, timeout):
        found = _planned(connection, to)
        if found.plan.losses and accept != found.plan.name:
            raise MigrationRefusedError(
                f"the rollback would lose {'; '.join(found.plan.losses)}; nothing was changed",
                hint=f"`dataflow rollback --accept {found.plan.name}` does it"
                if to is None
                else f"`dataflow rollback --to {to} --accept {found.plan.name}` does it",
                plan=found.plan.name,
            )
        carrying.carry_out(connection, found.plan, _told)
        seconds = time.perf_counter() - began
        history.record(
            connection,
            history.Migration(
                kind="rollback",
                application=application,
                host=history.host(),
                changes=found.plan.changes,
                undoes=found.undone,
                seconds=seconds,
            ),
        )
        if registry.exists(connection):  # whoever starts looks again
            connection.ask(f"UPDATE {registry.TABLE} SET catalogue = 'undone'")
    return RolledBack(found.undone, found.plan, seconds)


def _planned(connection: Connection, to: int | None) -> RolledBack:
    standing = history.standing(history.read(connection))
    if to is not None and to != 0 and to not in {each.id for each in standing}:
        raise RollbackError(
            f"there is no migration {to} to go back to", hint="`dataflow history` lists them; --to 0 undoes all of them"
        )
    undone = standing[-1:] if to is None else [each for each in standing if each.id > to]
    if not undone:
        raise RollbackError("there is nothing to roll back", hint="`dataflow history` lists what was done")
    changes: tuple[Change, ...] = reverse(tuple(change for each in undone for change in each.changes))
    have = inspect(connection, _names(changes))
    made = {change.table.name for change in changes if isinstance(change, CreateTable)}
    absent = {table_of(change) for change in changes} - made - have.tables.keys() - _renamed(changes)
    if absent:
        raise RollbackError(
            f"{', '.join(sorted(absent))} is not there any more, and the rollback would change it",
            hint="somebody changed the schema by hand; undo that first",
        )
    facts = measure(connection, have.tables)
    ids = tuple(each.id for each in reversed(undone))
    return RolledBack(ids, planned(have, changes, facts, connection.dialect))


def _names(changes: tuple[Change, ...]) -> list[str]:
    return [*{table_of(change) for change in changes} | _renamed(changes)]


def _renamed(changes: tuple[Change, ...]) -> set[str]:
    return {change.new for change in changes if isinstance(change, RenameTable)}


def _told(block: Block) -> None:
    """Nobody wants to know."""
