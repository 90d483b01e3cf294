"""Whether a column keeps every value of its field as it is, and whether another type would keep all that it holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from dataflow.schema.state import Column, Dialect, SchemaState, Table

_LENGTH: Final = re.compile(r"character varying(?:\((\d+)\))?$")
_WIDER: Final = {  # what holds every value of it, exactly; https://www.postgresql.org/docs/current/datatype-numeric.html
    "smallint": ("integer", "bigint", "numeric", "real", "double precision"),
    "integer": ("bigint", "numeric", "double precision"),
    "bigint": ("numeric",),
    "real": ("double precision",),
    "character varying": ("text",),
    "json": (),
}


def fits(have: str, want: str, dialect: Dialect) -> bool:
    """Whether a column of type *have* keeps every value of *want* as it is."""
    if have == want:
        return True
    if dialect == "sqlite":
        return affinity(have) == affinity(want)
    there, wanted = _LENGTH.match(have), _LENGTH.match(want)
    if want == "text":
        return there is not None and there.group(1) is None
    if wanted is None:
        return False
    if have == "text" or there is None:
        return have == "text"
    return _longer(there.group(1), wanted.group(1))


def widens(have: str, want: str, dialect: Dialect) -> bool:
    """Whether a column of type *want* keeps every value of *have* as it is."""
    if dialect == "sqlite":
        return (affinity(have), affinity(want)) in (("integer", "numeric"), ("blob", "blob"))
    if fits(want, have, dialect):
        return True
    return want in _WIDER.get(have.partition("(")[0], ())


def in_place(have: str, want: str) -> bool:
    """Whether PostgreSQL changes the type without writing the table anew: texts that may be longer."""
    text = (have == "text" or _LENGTH.match(have)) and (want == "text" or _LENGTH.match(want))
    return bool(text) and widens(have, want, "postgresql")


def _longer(one: str | None, other: str | None) -> bool:
    """Whether a length limit lets through all that another one does; None: no limit."""
    return one is None or (other is not None and int(one) >= int(other))


def affinity(declared: str) -> str:
    """Return SQLite's affinity of a declared type: https://www.sqlite.org/datatype3.html#determination_of_column_affinity."""
    kind = declared.upper()
    if "INT" in kind:
        return "integer"
    if any(word in kind for word in ("CHAR", "CLOB", "TEXT")):
        return "text"
    if not kind or "BLOB" in kind:
        return "blob"
    return "real" if any(word in kind for word in ("REAL", "FLOA", "DOUB")) else "numeric"


# -- tables that are somebody else's -------------------------------------------------------------------------


def differences(have: SchemaState, want: SchemaState, dialect: Dialect) -> list[str]:
    """Return, in sentences, how tables that exist differ from what is wanted in ways that could give wrong answers.

    More than is wanted is fine: other tables, other columns (if an INSERT may leave them out), other indexes.
    """
    found = []
    for name, table in want.tables.items():
        if name in have.tables:
            found += [f"{name}: {sentence}" for sentence in _table(have.tables[name], table, dialect)]
    return found


def _table(have: Table, want: Table, dialect: Dialect) -> Iterator[str]:
    there, wanted = have.by_name, want.by_name
    for column in want.columns:
        if column.name not in there:
            yield f"column {column.name} is missing"
        else:
            yield from _column(there[column.name], column, dialect, writable=have.writable)
    if not have.writable:
        return  # a view has no rules and no keys; whoever reads from it knows better
    for column in have.columns:
        if column.name not in wanted and not column.nullable and not column.filled:
            yield f"column {column.name} is not in the model, may not be null and has no default"
    if have.primary_key != want.primary_key:
        yield f"the primary key is {_listed(have.primary_key)}, not {_listed(want.primary_key)}"
    keys = {key.meaning for key in have.foreign_keys}
    for key in want.foreign_keys:
        if key.meaning not in keys:
            yield (
                f"there is no foreign key from {_listed(key.columns)} to {key.table} ({_listed(key.targets)})"
                f" that on delete does {key.on_delete}"
            )


def _column(have: Column, want: Column, dialect: Dialect, *, writable: bool) -> Iterator[str]:
    if not fits(have.type, want.type, dialect):
        yield f"column {have.name} is {have.type or 'of no type'}, not {want.type}"
    if not writable:
        return
    if want.nullable and not have.nullable:
        yield f"column {have.name} may not be null, and the model says it may"
    if have.nullable and not want.nullable:
        yield f"column {have.name} may be null, and the model says it may not"
    if want.identity and not have.filled:
        yield f"column {have.name} has no default, and the model expects the database to fill it"


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"
