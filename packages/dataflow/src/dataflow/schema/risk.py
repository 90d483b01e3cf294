"""Change -> what may go wrong with it: a score, the reason, the lock, the records touched, what is lost. Pure.

Rule: what can lose data, or can refuse what was fine before, never happens by itself.

Locks are those of https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES; on SQLite every change
holds the one lock of the database.
"""

from __future__ import annotations

import math
from typing import Final, Literal, TypeAlias

import msgspec

from dataflow.schema import changes as kinds
from dataflow.schema.changes import Change, table_of
from dataflow.schema.ddl import rebuilds
from dataflow.schema.fits import in_place, widens
from dataflow.schema.measure import Facts
from dataflow.schema.state import Dialect

Verdict: TypeAlias = Literal["automatic", "consent", "impossible"]
LARGE: Final = 100_000  # records; from here on an index is built concurrently. Arbitrary: about a second's work
EXCLUSIVE: Final = "ACCESS EXCLUSIVE"  # nobody reads or writes meanwhile
SHARE: Final = "SHARE"  # everybody reads, nobody writes
BOTH: Final = "SHARE ROW EXCLUSIVE"
GENTLE: Final = "SHARE UPDATE EXCLUSIVE"  # everybody reads and writes
NONE: Final = "none"


class Risk(msgspec.Struct, frozen=True, omit_defaults=True):
    """What may go wrong with one change."""

    score: int  # 0: nothing; from 50 on it needs somebody's consent; 100: everything in a table is gone
    reason: str
    lock: str
    rows: int = 0  # records that are read or written
    verdict: Verdict = "automatic"
    loses: str = ""  # what does not come back


def assess(change: Change, facts: Facts, dialect: Dialect) -> Risk:
    """Return the risk of *change*."""
    rows = facts.rows.get(table_of(change), 0)
    risk = _column_risk(change, rows, dialect)
    if dialect == "sqlite":
        touched = rows if rebuilds(change) else risk.rows
        return msgspec.structs.replace(risk, lock="the whole database", rows=touched)
    return risk


def concurrent(change: Change, facts: Facts, dialect: Dialect) -> bool:
    """Whether *change* is made beside the traffic of others, after everything else, outside the transaction."""
    if dialect == "sqlite" or not isinstance(change, kinds.CreateIndex | kinds.RepairIndex):
        return False
    return facts.rows.get(change.table, 0) >= LARGE


def _column_risk(change: Change, rows: int, dialect: Dialect) -> Risk:
    match change:
        case kinds.AddColumn():
            return _adding(change, rows)
        case kinds.SetType():
            return _typing(change, rows, dialect)
        case kinds.SetNullable() if change.unknown:
            reason = "no model has this column, and no record can be made while it may not be null"
            return Risk(50, reason, EXCLUSIVE, verdict="consent")
        case kinds.SetNullable() if change.nullable:
            return Risk(5, "records may leave it out from now on", EXCLUSIVE)
        case kinds.SetNullable():
            return _narrowing("records that leave it out stop it", rows, EXCLUSIVE)
        case kinds.SetDefault():
            return Risk(5, "what is there stays as it is", EXCLUSIVE)
        case kinds.SetIdentity():
            return Risk(15, "the database counts on from the highest", EXCLUSIVE, rows)
        case kinds.SetPrimaryKey():
            return Risk(80, "what points at the old key stops it", EXCLUSIVE, rows, "consent")
        case kinds.DropColumn():
            lost = f"the values of {change.column.name}" if rows else ""
            return Risk(90, "what is in it is gone", EXCLUSIVE, 0, "consent", lost)
        case kinds.RenameColumn():
            return Risk(30, "programs that know the old name fail from now on", EXCLUSIVE)
        case _:
            return _table_risk(change, rows)


def _table_risk(change: Change, rows: int) -> Risk:
    match change:
        case kinds.CreateTable():
            return Risk(0, "nothing is there yet", NONE)
        case kinds.DropTable():
            return Risk(100, "what is in it is gone", EXCLUSIVE, rows, "consent", f"{rows} records" if rows else "")
        case kinds.RenameTable():
            return Risk(40, "programs that know the old name fail from now on", EXCLUSIVE)
        case kinds.CreateIndex() | kinds.RepairIndex():
            return _indexing(change, rows)
        case kinds.DropIndex():
            return Risk(15, "an index of ours of the same name takes its place", EXCLUSIVE)
        case kinds.AddForeignKey():
            return _narrowing("records that point to nothing stop it", rows, BOTH)
        case kinds.DropForeignKey():
            return Risk(10, "another one takes its place", EXCLUSIVE)
        case kinds.AddCheck() if change.widens:
            return Risk(_sized(10, rows), "it lets through all that the former one did", EXCLUSIVE, rows)
        case kinds.AddCheck():
            return _narrowing("records that break it stop it", rows, EXCLUSIVE)
        case kinds.DropCheck():
            return Risk(5, "it lets everything through", EXCLUSIVE)
        case _:
            raise AssertionError(change)


def _adding(change: kinds.AddColumn, rows: int) -> Risk:
    column = change.column
    if column.nullable or column.filled:
        return Risk(5, "records that are there get the default, at once", EXCLUSIVE)
    if change.fill is not None:
        return Risk(10, "records that are there are given a value", EXCLUSIVE, rows)
    if not rows:
        return Risk(5, "there are no records yet", EXCLUSIVE)
    reason = f"it is required, and {rows} records have no value for it: give {column.name} a default, or `| None`"
    return Risk(100, reason, EXCLUSIVE, rows, "impossible")


def _typing(change: kinds.SetType, rows: int, dialect: Dialect) -> Risk:
    old, new = change.old.type or "no type", change.new.type
    if dialect == "postgresql" and in_place(old, new):
        return Risk(5, f"{new} keeps every {old}, and nothing is written", EXCLUSIVE)
    if widens(change.old.type, new, dialect):
        return Risk(_sized(20, rows), f"{new} keeps every {old}; the table is written anew", EXCLUSIVE, rows)
    if not rows:
        return Risk(50, f"{new} may not keep what others write as {old}", EXCLUSIVE, 0, "consent")
    lost = f"values of {new} that no {old} was" if rows else ""
    return Risk(_sized(75, rows), f"not every {old} is a {new}", EXCLUSIVE, rows, "consent", lost)


def _indexing(change: kinds.CreateIndex | kinds.RepairIndex, rows: int) -> Risk:
    if rows >= LARGE:
        return Risk(_sized(10, rows), "it is built beside the traffic, after everything else", GENTLE, rows)
    if change.index.unique and rows:
        return Risk(25, "records that are the same there stop it", SHARE, rows)
    return Risk(_sized(0, rows), "nobody writes while it is built", SHARE, rows)


def _narrowing(reason: str, rows: int, lock: str) -> Risk:
    """What refuses records that were fine before; with no record there, nobody can miss one."""
    if not rows:
        return Risk(10, "there are no records yet", lock)
    return Risk(_sized(50, rows), reason, lock, rows, "consent")


def _sized(score: int, rows: int) -> int:
    """Return *score*, and more of it the more records there are: 5 for each power of ten above a thousand."""
    return score + (round(5 * math.log10(rows / 1000)) if rows > 1000 else 0)
