"""Seal what older keys sealed with the first key: in steps, which can be interrupted and gone on with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from dataflow.ledger.spelling import quoted
from dataflow.model.keyring import ID, Keyring, UnsealedError
from dataflow.model.spec import FieldSpec, ModelSpec
from dataflow.schema import keys
from dataflow.schema.connection import Connect, Connection

BATCH: Final = 500  # records of one transaction; arbitrary: a writer waits no longer than for these

Progress = Callable[["Step"], object]


class Step(msgspec.Struct, frozen=True):
    """How far it is with one field."""

    model: str
    field: str
    done: int  # values that were sealed anew
    failed: int  # values that no key opens: they are as they were


def rekey(
    connect: Connect, specs: list[ModelSpec], keyring: Keyring, timeout: float, progress: Progress = lambda step: None
) -> list[Step]:
    """Seal all values with the first key; return what was done of each field.

    When all could be sealed, the other keys are forgotten and may go from ``encryption_key``. Raises:
    DatabaseUnavailableError; RetryableError.
    """
    sealed = [(spec, field) for spec in specs for field in spec.fields if field.encrypted is not None]
    steps = [_field(connect, spec, field, keyring, timeout, progress) for spec, field in sealed]
    if not any(step.failed for step in steps):
        with connect() as connection:
            connection.begin(timeout)
            keys.forget(connection, keyring)
            connection.commit()
    return steps


def _field(
    connect: Connect, spec: ModelSpec, field: FieldSpec, keyring: Keyring, timeout: float, progress: Progress
) -> Step:
    step, last = Step(spec.name, field.name, 0, 0), None
    while True:
        with connect() as connection:
            connection.begin(timeout)
            rows = _old(connection, spec, field, keyring, last)
            done = sum(_sealed(connection, spec, field, keyring, id, value) for id, value in rows)
            connection.commit()
        if not rows:
            return step
        last = rows[-1][0]
        step = Step(spec.name, field.name, step.done + done, step.failed + len(rows) - done)
        progress(step)


def _old(
    connection: Connection, spec: ModelSpec, field: FieldSpec, keyring: Keyring, last: Any
) -> list[tuple[Any, bytes]]:
    """Return the next records whose value another key has sealed."""
    column, id, table = quoted(field.stored_as), _id(spec), quoted(spec.table)
    after, given = (f" AND {id} > ?", (last,)) if last is not None else ("", ())
    locked = " FOR UPDATE" if connection.dialect == "postgresql" else ""
    wanted = f"substr({column}, 2, {ID}) <> ?{after}"
    statement = f"SELECT {id}, {column} FROM {table} WHERE {wanted} ORDER BY {id} LIMIT {BATCH}{locked}"
    return [(row[0], row[1]) for row in connection.ask(statement, (keyring.first.id, *given))]


def _sealed(connection: Connection, spec: ModelSpec, field: FieldSpec, keyring: Keyring, id: Any, value: bytes) -> bool:
    """Seal one value anew; whether it could be opened."""
    sealed, place = bytes(value), f"{spec.table}.{field.name}".encode()
    try:
        plain = keyring.open(sealed, place)
    except UnsealedError:
        return False
    searched = field.encrypted is not None and field.encrypted.searchable
    anew = keyring.first.seal(plain, place, searched=searched)
    assignment = f"{quoted(field.stored_as)} = ? WHERE {_id(spec)} = ?"
    connection.ask(f"UPDATE {quoted(spec.table)} SET {assignment}", (anew, id))
    return True


def _id(spec: ModelSpec) -> str:
    return quoted(spec.by_name["id"].stored_as)
