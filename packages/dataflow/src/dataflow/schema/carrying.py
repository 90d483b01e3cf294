"""Carries out a plan in the transaction of a pass.

SQLite rewrites the text of indexes and triggers when something is renamed, and a table that is made anew afterwards
needs them as they are then. So what follows a rename is looked at again.
"""

from __future__ import annotations

from collections.abc import Iterator

from dataflow.schema import session
from dataflow.schema.changes import Change, RenameColumn, RenameTable, table_of
from dataflow.schema.connection import Connection
from dataflow.schema.inspect import inspect
from dataflow.schema.measure import measure
from dataflow.schema.plan import Plan, planned


def carry_out(connection: Connection, plan: Plan, progress: session.Progress) -> None:
    """Run the blocks of *plan* that belong in the transaction. Raises: MigrationFailedError, MigrationLockedError."""
    parts = [*_parts(plan.changes)]
    if connection.dialect == "postgresql" or len(parts) < 2:
        session.carry_out(connection, plan.blocks, progress)
        return
    for part in parts:
        have = inspect(connection, {table_of(change) for change in part})
        facts = measure(connection, have.tables)
        session.carry_out(connection, planned(have, part, facts, connection.dialect).blocks, progress)


def _parts(changes: tuple[Change, ...]) -> Iterator[tuple[Change, ...]]:
    """Part the changes after each rename."""
    part: list[Change] = []
    for change in changes:
        part.append(change)
        if isinstance(change, RenameTable | RenameColumn):
            yield tuple(part)
            part = []
    if part:
        yield tuple(part)
