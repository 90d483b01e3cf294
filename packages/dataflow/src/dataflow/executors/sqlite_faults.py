"""Errors of sqlite3 -> our errors, by SQLite's extended code.

Rule: SQLite has no diagnostic fields. Its message of a UNIQUE or NOT NULL failure lists ``table.column`` and nothing
      else, that of a CHECK its name, and only those names are read.

Source: https://www.sqlite.org/rescode.html.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from dataflow.errors import ConstraintError, DatabaseError, DatabaseUnavailableError, RetryableError
from dataflow.executors import faults
from kailash.errors import DeadlineExceededError, KailashError

if TYPE_CHECKING:
    from sqlalchemy import Table

REFUSED: Final[Mapping[int, str]] = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: "23505",
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: "23505",
    sqlite3.SQLITE_CONSTRAINT_ROWID: "23505",
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: "23503",
    sqlite3.SQLITE_CONSTRAINT_NOTNULL: "23502",
    sqlite3.SQLITE_CONSTRAINT_CHECK: "23514",
    sqlite3.SQLITE_CONSTRAINT_TRIGGER: "23503",  # RAISE(ABORT); an ON DELETE RESTRICT is reported so
}
CODES: Final[Mapping[int, tuple[type[KailashError], str]]] = {
    sqlite3.SQLITE_BUSY: (RetryableError, "the database is busy with another writer"),
    sqlite3.SQLITE_LOCKED: (RetryableError, "the table is locked by another statement"),
    sqlite3.SQLITE_INTERRUPT: (DeadlineExceededError, "the statement was interrupted"),
    sqlite3.SQLITE_CANTOPEN: (DatabaseUnavailableError, "the database file cannot be opened"),
    sqlite3.SQLITE_NOTADB: (DatabaseUnavailableError, "the file is not a SQLite database"),
    sqlite3.SQLITE_CORRUPT: (DatabaseUnavailableError, "the database file is damaged"),
    sqlite3.SQLITE_FULL: (DatabaseUnavailableError, "the disk of the database is full"),
    sqlite3.SQLITE_IOERR: (DatabaseUnavailableError, "the database file cannot be read or written"),
    sqlite3.SQLITE_READONLY: (DatabaseError, "the database file is read-only"),
    sqlite3.SQLITE_TOOBIG: (ConstraintError, "a value is larger than the database allows"),
    sqlite3.SQLITE_MISMATCH: (ConstraintError, "a value does not fit its column"),
}
CHECK: Final = re.compile(r"^CHECK constraint failed: (ck_\w+)$")  # the name of a check of ours
COLUMNS: Final = re.compile(r"constraint failed: ([^.,]+\.[^.,]+(?:, [^.,]+\.[^.,]+)*)$")


def translated(fault: sqlite3.Error, table: Table | None = None) -> KailashError:
    """Return our error for an error of sqlite3."""
    code: int | None = getattr(fault, "sqlite_errorcode", None)
    if code is None:  # raised by Python's module itself: a closed connection, a value SQLite has no type for
        if isinstance(fault, sqlite3.ProgrammingError):
            return DatabaseError("the database connection cannot be used in this way")
        return DatabaseError("the database refused the statement")
    if table is not None and (named := CHECK.search(str(fault))) and (broken := faults.limited(table, named[1])):
        return broken
    if code in REFUSED:
        found = COLUMNS.search(str(fault))
        columns = [pair.partition(".")[2] for pair in found.group(1).split(", ")] if found else []
        return faults.refused(REFUSED[code], faults.keys(table, columns), table.name if table is not None else "", "")
    error, message = (
        CODES.get(code)
        or CODES.get(code & 0xFF)
        or (  # low byte: the primary code
            DatabaseError,
            f"the database refused the statement (SQLite code {code})",
        )
    )
    return error(message)
