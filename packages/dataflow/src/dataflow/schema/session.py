"""The one transaction of a pass: locked, and undone whole when anything in it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeAlias

from dataflow.errors import (
    ConstraintError,
    DatabaseError,
    DatabaseUnavailableError,
    DataFlowError,
    DuplicateError,
    ForeignKeyError,
    MigrationFailedError,
    MigrationLockedError,
    RetryableError,
)
from dataflow.schema import ledger
from dataflow.schema.changes import AddForeignKey, Change, CreateIndex, CreateTable, DropTable
from dataflow.schema.connection import Connection
from dataflow.schema.lock import KEY, begin_locked
from dataflow.schema.plan import Block, described
from kailash._undo import Undoing

Progress: TypeAlias = Callable[[Block], None]
BUILDING: Final = KEY + 1  # the advisory lock of whoever builds indexes beside the traffic


@contextmanager
def transaction(connection: Connection, timeout: float) -> Iterator[None]:
    """Hold the migration lock in a transaction that is committed at the end of the block, or undone.

    SQLite keeps foreign keys while a table is made anew only when they are off, and that can only be said outside a
    transaction. Raises: MigrationLockedError.
    """
    sqlite = connection.dialect == "sqlite"
    if sqlite:
        connection.ask("PRAGMA foreign_keys = OFF")
        connection.ask("PRAGMA legacy_alter_table = ON")
    try:
        begin_locked(connection, timeout)
        try:
            with Undoing(lambda: connection.ask("ROLLBACK")):
                yield
                connection.commit()
        except RetryableError as fault:
            raise MigrationLockedError(
                f"somebody has used a table for more than {timeout:g} seconds; nothing was changed",
                hint="try again when it is less busy, or raise migration_lock_timeout",
            ) from fault
    finally:
        if sqlite:
            connection.ask("PRAGMA legacy_alter_table = OFF")
            connection.ask("PRAGMA foreign_keys = ON")


def carry_out(connection: Connection, blocks: Sequence[Block], progress: Progress) -> None:
    """Run the blocks that belong in the transaction. Raises: MigrationFailedError, naming the change."""
    now = [block for block in blocks if not block.concurrent]
    fresh: list[Block] = []
    made: set[str] = set()
    for block in now if connection.dialect == "postgresql" else ():
        if not all(_on_new_table(change, made) for change in block.changes):
            break
        fresh.append(block)
    if len(fresh) > 1:  # one round trip for all that stands on nothing: no record can be in its way
        run(
            connection,
            Block((), (";\n".join(each for block in fresh for each in block.statements),)),
            "make the tables",
        )
        for block in fresh:
            progress(block)
        now = now[len(fresh) :]
    for block in now:
        run(connection, block)
        if connection.dialect == "sqlite":
            ledger.let_go(connection, block.changes)
        progress(block)
    if connection.dialect == "sqlite" and any(map(_may_orphan, blocks)):
        broken = connection.ask("PRAGMA foreign_key_check")
        if broken:
            tables = ", ".join(sorted({str(row[0]) for row in broken}))
            raise MigrationFailedError(
                f"records of {tables} would point to nothing; nothing was changed",
                hint="find them with `dataflow verify`, and change or remove them first",
            )


def _may_orphan(block: Block) -> bool:
    """Whether SQLite, whose foreign keys are off meanwhile, could be left with records that point to nothing."""
    return len(block.statements) > 1 or any(isinstance(change, DropTable) for change in block.changes)


def _on_new_table(change: Change, made: set[str]) -> bool:
    """Whether *change* makes a table, or an index of one of those *made*; which it then adds to."""
    if isinstance(change, CreateTable):
        made.add(change.table.name)
        return True
    return isinstance(change, CreateIndex | AddForeignKey) and change.table in made


def run(connection: Connection, block: Block, name: str = "") -> None:
    """Run one block, called *name* in errors. Raises: MigrationFailedError; MigrationLockedError."""
    named = name or ", ".join(map(described, block.changes))
    rest = "everything else was done, and the next start tries again" if block.concurrent else "nothing was changed"
    for guard in block.guards:
        if broken := connection.ask(guard)[0][0]:
            raise MigrationFailedError(
                f"{named}: {broken} records have no value of the new type; {rest}",
                hint="change or remove those records first",
            )
    try:
        for statement in block.statements:
            connection.ask(statement)
    except (DuplicateError, ForeignKeyError, ConstraintError) as fault:
        raise MigrationFailedError(
            f"{named}: {_reason(fault)}; {rest}",
            hint="change or remove those records first, or take the rule from the model",
        ) from fault
    except RetryableError as fault:
        raise MigrationLockedError(
            f"{named}: somebody else uses the table; {rest}",
            hint="try again when it is less busy, or raise migration_lock_timeout",
        ) from fault
    except DatabaseUnavailableError as fault:
        raise DatabaseUnavailableError(
            f"{named}: {fault.message}; {rest}",
            hint="see that the database runs and that its disk has room; the next start tries again",
        ) from fault
    except DatabaseError as fault:  # it may not, or it cannot
        raise MigrationFailedError(
            f"{named}: {fault.message}; {rest}",
            hint="run `dataflow migrate` as the owner of the tables, and start this program with auto_migrate=False",
        ) from fault


def _reason(fault: DataFlowError) -> str:
    if isinstance(fault, DuplicateError):
        return "some records are the same there"
    if isinstance(fault, ForeignKeyError):
        return "some records point to nothing"
    return "some records have no value, or one that is not allowed"


def build_beside(connection: Connection, blocks: Sequence[Block], progress: Progress) -> bool:
    """Build indexes beside the traffic of others, outside any transaction; False: another process is at it.

    What is left of one that was given up is invalid, and found and repaired by the next pass.
    """
    if not connection.ask(f"SELECT pg_try_advisory_lock({BUILDING})")[0][0]:
        return False
    try:
        for block in blocks:
            run(connection, block)
            progress(block)
    finally:
        connection.ask(f"SELECT pg_advisory_unlock({BUILDING})")
    return True
