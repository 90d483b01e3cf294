"""Seal what older keys sealed with the first key: in steps, which can be interrupted and gone on with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from dataflow.errors import EncryptionError
from dataflow.ledger.spelling import quoted
from dataflow.model import envelope
from dataflow.model.keyring import ID, Keyring, UnsealedError
from dataflow.model.spec import FieldSpec, ModelSpec
from dataflow.schema import keys
from dataflow.schema.connection import Connect, Connection

BATCH: Final = 500  # records of one transaction; arbitrary: a writer waits no longer than for these
JOURNALS: Final = {"dataflow_runs": ("given", "run_id"), "dataflow_steps": ("output", "run_id", "path")}
_THERE: Final = {
    "postgresql": "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'",
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
}

Progress = Callable[["Step"], object]


class Step(msgspec.Struct, frozen=True):
    """How far it is with one field."""

    model: str  # or the table, of what is no model's
    field: str
    done: int  # values that were sealed anew
    failed: int  # values that no key opens: they are as they were


class Column(msgspec.Struct, frozen=True):
    """A column of sealed values."""

    model: str
    field: str
    table: str
    column: str
    key: tuple[str, ...]  # the columns by which its rows are told apart
    sealer: str  # an expression: which key has sealed the value
    first: Any  # what it is for the first key
    anew: Callable[[Any], Any]  # a value -> sealed with the first key; raises UnsealedError, EncryptionError


def rekey(
    connect: Connect, specs: list[ModelSpec], keyring: Keyring, timeout: float, progress: Progress = lambda step: None
) -> list[Step]:
    """Seal all values with the first key; return what was done of each field.

    When all could be sealed, the other keys are forgotten and may go from ``encryption_key``. Raises:
    DatabaseUnavailableError; RetryableError.
    """
    columns = [_of_field(spec, field, keyring) for spec in specs for field in spec.fields if field.encrypted]
    with connect() as connection:
        columns += _of_journals(connection, keyring)
    steps = [_sealed(connect, column, timeout, progress) for column in columns]
    if not any(step.failed for step in steps):
        with connect() as connection:
            connection.begin(timeout)
            keys.forget(connection, keyring)
            connection.commit()
    return steps


def _of_field(spec: ModelSpec, field: FieldSpec, keyring: Keyring) -> Column:
    place = f"{spec.keeps or spec.table}.{field.name}".encode()
    searched = field.encrypted is not None and field.encrypted.searchable
    return Column(
        spec.name,
        field.name,
        spec.table,
        field.stored_as,
        tuple([each.stored_as for each in spec.fields if each.primary_key]),
        f"substr({quoted(field.stored_as)}, 2, {ID})",
        keyring.first.id,
        lambda sealed: keyring.first.seal(keyring.open(bytes(sealed), place), place, searched=searched),
    )


def _of_journals(connection: Connection, keyring: Keyring) -> Iterator[Column]:
    """Yield the columns of the journals of runs; what was kept there before there was a key is sealed too."""
    there = {str(row[0]) for row in connection.ask(_THERE[connection.dialect])}
    first = envelope.begins(keyring.first)
    for table, (column, *key) in JOURNALS.items():
        if table in there:
            place = f"{table}.{column}".encode()
            sealer = f"substr({quoted(column)}, 1, {len(first)})"
            yield Column(table, column, table, column, tuple(key), sealer, first, _text_anew(place, keyring))


def _text_anew(place: bytes, keyring: Keyring) -> Callable[[str], str]:
    return lambda text: envelope.close(envelope.open(text, place, keyring), place, keyring)


def _sealed(connect: Connect, column: Column, timeout: float, progress: Progress) -> Step:
    step, last = Step(column.model, column.field, 0, 0), ()
    while True:
        with connect() as connection:
            connection.begin(timeout)
            rows = _old(connection, column, last)
            done = sum(_anew(connection, column, value, key) for value, *key in rows)
            connection.commit()
        if not rows:
            return step
        last = tuple(rows[-1][1:])
        step = Step(column.model, column.field, step.done + done, step.failed + len(rows) - done)
        progress(step)


def _old(connection: Connection, column: Column, last: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """Return the next values that another key has sealed, each with what tells its row apart."""
    key = ", ".join(map(quoted, column.key))
    after = f" AND ({key}) > ({', '.join('?' * len(last))})" if last else ""
    locked = " FOR UPDATE" if connection.dialect == "postgresql" else ""
    statement = (
        f"SELECT {quoted(column.column)}, {key} FROM {quoted(column.table)} WHERE {column.sealer} <> ?{after}"
        f" ORDER BY {key} LIMIT {BATCH}{locked}"
    )
    return connection.ask(statement, (column.first, *last))


def _anew(connection: Connection, column: Column, value: Any, key: list[Any]) -> bool:
    """Seal one value anew; whether it could be opened."""
    try:
        sealed = column.anew(value)
    except (UnsealedError, EncryptionError):
        return False
    mine = " AND ".join(f"{quoted(name)} = ?" for name in column.key)
    connection.ask(f"UPDATE {quoted(column.table)} SET {quoted(column.column)} = ? WHERE {mine}", (sealed, *key))
    return True
