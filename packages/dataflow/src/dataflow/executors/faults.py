"""Driver errors -> our errors, by SQLSTATE; never by message text. `sqlite_faults` has the codes of SQLite.

Rule 1: names of constraints and columns come from the driver's diagnostic fields.
Rule 2: no SQL and no value is ever part of our message.

Source: https://www.postgresql.org/docs/current/errcodes-appendix.html.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from dataflow.errors import (
    ConstraintError,
    DatabaseError,
    DatabaseUnavailableError,
    DataFlowError,
    DuplicateError,
    ForeignKeyError,
    RetryableError,
    SchemaMismatchError,
)
from dataflow.model import naming
from kailash.errors import DeadlineExceededError, InvalidInputError, KailashError, Problem

if TYPE_CHECKING:
    from sqlalchemy import Table

REFUSED: Final[Mapping[str, tuple[type[DataFlowError], str]]] = {
    "23505": (DuplicateError, "is already taken"),
    "23P01": (DuplicateError, "conflicts with another record"),
    "23503": (ForeignKeyError, "points to a record that is absent, or is still pointed at"),
    "23001": (ForeignKeyError, "is still pointed at"),
    "23502": (ConstraintError, "must have a value"),
    "23514": (ConstraintError, "breaks a rule of the table"),
    "23000": (ConstraintError, "breaks a rule of the table"),
}
SQLSTATES: Final[Mapping[str, tuple[type[KailashError], str]]] = {
    "22001": (ConstraintError, "a text is longer than its column allows"),
    "22003": (ConstraintError, "a number is outside the range of its column"),
    "40001": (RetryableError, "another transaction changed the same records first"),
    "40P01": (RetryableError, "two transactions waited for each other"),
    "55P03": (RetryableError, "the records are locked by another transaction"),
    "57014": (DeadlineExceededError, "the database gave up on a statement that took too long"),
    "25P02": (DatabaseError, "the transaction has failed and can only be rolled back"),
    "42P01": (SchemaMismatchError, "a table is missing from the database"),
    "42703": (SchemaMismatchError, "a column is missing from the database"),
    "42804": (SchemaMismatchError, "a column has another type than its model says"),
    "3D000": (DatabaseUnavailableError, "there is no database of that name"),
    "42501": (DatabaseError, "the database role may not do this"),
    "25006": (DatabaseError, "the database is read-only"),
    "53300": (DatabaseUnavailableError, "the database has no connection left"),
    "53100": (DatabaseUnavailableError, "the disk of the database is full"),
}
CLASSES: Final[Mapping[str, tuple[type[KailashError], str]]] = {
    "08": (DatabaseUnavailableError, "the connection to the database was lost"),
    "22": (ConstraintError, "a value does not fit its column"),
    "28": (DatabaseUnavailableError, "the database refused the user or the password"),
    "40": (RetryableError, "the transaction was rolled back by the database"),
    "53": (DatabaseUnavailableError, "the database is short of resources"),
    "57": (DatabaseUnavailableError, "the database is shutting down or ended the session"),
    "58": (DatabaseUnavailableError, "the database had a system error"),
}
LOST: Final = "the connection to the database was lost"
UNREACHED: Final = "the database cannot be reached, or refused to be entered"
REACH: Final = "see that it runs, and that host, port, name, user and password of the database URL are right"


def of_sqlstate(
    sqlstate: str | None, table: Table | None = None, *, constraint: str | None = None, column: str | None = None
) -> KailashError:
    """Return our error for a SQLSTATE; *table* is what the statement changed, the names are the driver's."""
    if not sqlstate:
        return DatabaseUnavailableError(LOST)
    if sqlstate == "23514" and table is not None and (broken := limited(table, constraint or "")):
        return broken
    if sqlstate in REFUSED:
        fields = keys(table, [column]) if column else _fields(table, constraint)
        return refused(sqlstate, fields, table.name if table is not None else "", constraint or "")
    error, message = (
        SQLSTATES.get(sqlstate)
        or CLASSES.get(sqlstate[:2])
        or (
            DatabaseError,
            f"the database refused the statement (SQLSTATE {sqlstate})",
        )
    )
    return error(message)


def refused(sqlstate: str, fields: Iterable[str], table: str, constraint: str) -> KailashError:
    """Return the error of a constraint that values of *fields* break; table, constraint: their names, or ""."""
    error, sentence = REFUSED[sqlstate]
    named = tuple(fields)
    where = f" in {table}" if table else ""
    subject = f"{', '.join(named)}{where}" if named else (f"a value{where}" if table else "a value")
    if not named and constraint:
        subject += f" (constraint {constraint})"
    message = f"{subject} {sentence}"
    return error(message, problems=[Problem(field, error.code, f"{field} {sentence}") for field in named])


def limited(table: Table, constraint: str) -> KailashError | None:
    """Return the error of a check that was made from a field's annotation, as validation would have said it."""
    for column in table.columns:
        if naming.is_check_of(constraint, table.name, column.name):
            sentence = "leaves the limits of its field"
            problem = Problem(column.name, "constraint", sentence)
            return InvalidInputError(f"{column.name} {sentence}", problems=[problem])
    return None


def _fields(table: Table | None, constraint: str | None) -> tuple[str, ...]:
    """The columns of a constraint or unique index of *table*, by its name in the database."""
    if table is None or not constraint:
        return ()
    owners: list[Any] = [*table.constraints, *table.indexes]
    named = [(one.name, one.columns) for one in owners]
    for name, columns in named:
        if name == constraint:
            return tuple(column.key for column in columns)
    if constraint == f"{table.name}_pkey":  # the name PostgreSQL gives a primary key that has none
        return tuple(column.key for column in table.primary_key.columns)
    for _, columns in named:  # the name PostgreSQL gives a constraint that has none: table_column[_column]_key
        words = "_".join(column.name for column in columns)
        if constraint in (f"{table.name}_{words}_key", f"{table.name}_{words}_fkey"):
            return tuple(column.key for column in columns)
    return ()


def keys(table: Table | None, columns: Iterable[str]) -> tuple[str, ...]:
    """The names that the model has for *columns*."""
    known = {column.name: str(column.key) for column in table.columns} if table is not None else {}
    return tuple(known.get(name, name) for name in columns)
