"""Change -> the SQL that makes it. Text alone: neither SQLAlchemy nor a connection.

Rule 1: every identifier is quoted.
Rule 2: SQLite cannot change most of a table. What it cannot is done by making the table anew, once for all changes of
        it (https://www.sqlite.org/lang_altertable.html#otheralter); `dataflow.schema.rebuild` writes that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from dataflow.ledger import spelling
from dataflow.schema import changes as kinds
from dataflow.schema.changes import Change
from dataflow.schema.fits import widens
from dataflow.schema.rules import identifier, quoted
from dataflow.schema.state import Check, Column, Dialect, ForeignKey, Index, Table

NOW = {"postgresql": "CURRENT_TIMESTAMP", "sqlite": spelling.NOW}


def rebuilds(change: Change) -> bool:
    """Whether SQLite must make the table anew for *change*."""
    match change:
        case kinds.AddColumn():
            column = change.column
            constant = column.default is None or not column.default.upper().startswith(("(", "CURRENT_"))
            null = column.nullable or column.default is not None
            return change.fill is not None or not null or not constant or column.generated is not None
        case kinds.SetType() | kinds.SetNullable() | kinds.SetDefault() | kinds.SetIdentity():
            return True
        case kinds.SetPrimaryKey() | kinds.DropColumn():
            return True
        case kinds.AddForeignKey() | kinds.DropForeignKey() | kinds.AddCheck() | kinds.DropCheck():
            return True
        case kinds.CreateTable() | kinds.DropTable() | kinds.RenameTable() | kinds.RenameColumn():
            return False
        case kinds.CreateIndex() | kinds.DropIndex() | kinds.RepairIndex():
            return False
        case _:
            assert_never(change)


def statements(change: Change, dialect: Dialect, *, concurrently: bool = False) -> Iterator[str]:
    """Yield the statements of *change*, which is none that SQLite rebuilds for."""
    match change:
        case kinds.CreateTable():
            yield create_table(change.table, dialect)
        case kinds.DropTable():
            yield f"DROP TABLE {identifier(change.table.name)}"
        case kinds.RenameTable():
            yield f"ALTER TABLE {identifier(change.old)} RENAME TO {identifier(change.new)}"
        case kinds.RenameColumn():
            place = identifier(change.table)
            yield f"ALTER TABLE {place} RENAME COLUMN {identifier(change.old)} TO {identifier(change.new)}"
        case kinds.CreateIndex():
            yield create_index(change.table, change.index, concurrently=concurrently)
        case kinds.DropIndex():
            yield drop_index(change.table, change.index)
        case kinds.RepairIndex():
            yield f"DROP INDEX {'CONCURRENTLY ' if concurrently else ''}{identifier(change.index.name)}"
            yield create_index(change.table, change.index, concurrently=concurrently)
        case kinds.AddColumn():
            yield from _add_column(change, dialect)
        case _:
            yield f"ALTER TABLE {identifier(change.table)} {', '.join(_alterations(change))}"
            if isinstance(change, kinds.SetIdentity) and change.identity:
                yield count_on(change.table, change.column)


def create_table(table: Table, dialect: Dialect, name: str = "") -> str:
    """Return the CREATE TABLE of *table*, without its indexes; *name*: another name for it."""
    counted = dialect == "sqlite" and table.autoincrement
    parts = [_column(column, dialect, table if counted else None) for column in table.columns]
    if table.primary_key and not counted:
        parts.append(_named(table.primary_key_name, f"PRIMARY KEY ({_listed(table.primary_key)})"))
    if dialect == "sqlite":
        uniques = [index for index in table.indexes if index.constraint]
        parts += [f"UNIQUE ({_listed(index.columns)})" for index in uniques]
    parts += [foreign_key(key) for key in table.foreign_keys]
    parts += [_check(check) for check in table.checks]
    options = f" {', '.join(table.options)}" if table.options else ""
    return f"CREATE TABLE {identifier(name or table.name)} (\n  " + ",\n  ".join(parts) + f"\n){options}"


def create_index(table: str, index: Index, *, concurrently: bool = False) -> str:
    """Return the CREATE INDEX of *index*, or of the constraint that it is part of."""
    if index.definition is not None:
        return index.definition
    if index.constraint:
        return f"ALTER TABLE {identifier(table)} ADD {_named(index.name, f'UNIQUE ({_listed(index.columns)})')}"
    words = f"{'UNIQUE ' if index.unique else ''}INDEX {'CONCURRENTLY ' if concurrently else ''}"
    condition = f" WHERE {index.where}" if index.where else ""
    return f"CREATE {words}{identifier(index.name)} ON {identifier(table)} ({_listed(index.columns)}){condition}"


def drop_index(table: str, index: Index) -> str:
    """Return the DROP INDEX of *index*, or of the constraint that it is part of."""
    if index.constraint:
        return f"ALTER TABLE {identifier(table)} DROP CONSTRAINT {identifier(index.name)}"
    return f"DROP INDEX {identifier(index.name)}"


# -- parts of a table ----------------------------------------------------------------------------------------


def _column(column: Column, dialect: Dialect, counted: Table | None = None) -> str:
    """Write a column; *counted*: the table whose ids SQLite never gives twice, where this may be its id."""
    words = [identifier(column.name), column.type.upper() if dialect == "sqlite" else column.type]
    if column.collation:
        words.append(f"COLLATE {identifier(column.collation)}")
    if column.generated is not None:
        words.append(f"GENERATED ALWAYS AS ({column.generated}) STORED")
    elif column.identity and dialect == "postgresql":
        words.append("GENERATED BY DEFAULT AS IDENTITY")
    elif column.default is not None:
        words.append(f"DEFAULT {column.default}")
    if not column.nullable:
        words.append("NOT NULL")
    if counted is not None and counted.primary_key == (column.name,):
        words.append(_named(counted.primary_key_name, "PRIMARY KEY AUTOINCREMENT"))
    return " ".join(word for word in words if word)


def foreign_key(key: ForeignKey) -> str:
    """Return the constraint of *key*, as it stands in a table."""
    place = ".".join(map(identifier, key.table.split(".")))
    text = f"FOREIGN KEY ({_listed(key.columns)}) REFERENCES {place} ({_listed(key.targets)})"
    text += f" ON DELETE {key.on_delete}" if key.on_delete != "NO ACTION" else ""
    text += f" ON UPDATE {key.on_update}" if key.on_update != "NO ACTION" else ""
    return _named(key.name, text + (" DEFERRABLE INITIALLY DEFERRED" if key.deferred else ""))


def _check(check: Check) -> str:
    return _named(check.name, f"CHECK ({check.expression})")


def _named(name: str, constraint: str) -> str:
    return f"CONSTRAINT {identifier(name)} {constraint}" if name else constraint


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(map(identifier, names))


# -- alterations of PostgreSQL -------------------------------------------------------------------------------


def misfits(change: kinds.SetType) -> str:
    """Return the question how many records have no value of the new type; SQLite would make something of each."""
    place, name = identifier(change.table), identifier(change.old.name)
    cast = f"CAST({name} AS {change.new.type.upper()})"  # a comparison with it reads the other side in the same way
    return f"SELECT count(*) FROM {place} WHERE {name} IS NOT NULL AND NOT ({cast} = {name})"


def fill(change: kinds.AddColumn, dialect: Dialect) -> str:
    """Return what records that are there get, as an expression."""
    return NOW[dialect] if change.fill == "CURRENT_TIMESTAMP" else str(change.fill)


def _add_column(change: kinds.AddColumn, dialect: Dialect) -> Iterator[str]:
    place, column = identifier(change.table), _column(change.column, dialect)
    if change.fill is None:
        yield f"ALTER TABLE {place} ADD COLUMN {column}"
        return
    name, given = identifier(change.column.name), fill(change, dialect)
    yield f"ALTER TABLE {place} ADD COLUMN {column} DEFAULT {given}"  # at once, whatever the size, since PostgreSQL 11
    yield f"ALTER TABLE {place} ALTER COLUMN {name} DROP DEFAULT"


def _alterations(change: Change) -> list[str]:
    match change:
        case kinds.DropColumn():
            return [f"DROP COLUMN {identifier(change.column.name)}"]
        case kinds.SetType():
            return _retyped(change)
        case kinds.SetNullable():
            return [f"ALTER COLUMN {identifier(change.column)} {'DROP' if change.nullable else 'SET'} NOT NULL"]
        case kinds.SetDefault():
            return [_default(change.column, change.new)]
        case kinds.SetIdentity():
            how = "ADD GENERATED BY DEFAULT AS IDENTITY" if change.identity else "DROP IDENTITY"
            return [f"ALTER COLUMN {identifier(change.column)} {how}"]
        case kinds.SetPrimaryKey():
            dropped = [f"DROP CONSTRAINT {identifier(change.old_name)}"] if change.old else []
            made = [f"ADD {_named(change.new_name, f'PRIMARY KEY ({_listed(change.new)})')}"] if change.new else []
            return [*dropped, *made]
        case kinds.AddForeignKey():
            return [f"ADD {foreign_key(change.key)}"]
        case kinds.DropForeignKey():
            return [f"DROP CONSTRAINT {identifier(change.key.name)}"]
        case kinds.AddCheck():
            return [f"ADD {_check(change.check)}"]
        case kinds.DropCheck():
            return [f"DROP CONSTRAINT {identifier(change.check.name)}"]
        case _:
            raise AssertionError(change)


def _retyped(change: kinds.SetType) -> list[str]:
    name, new = identifier(change.new.name), change.new
    collation = f" COLLATE {identifier(new.collation)}" if new.collation else ""
    # By way of text, where it is no matter of course: what is no value of the new type stops it, and nothing is rounded
    # or cut off. A length is left to the assignment, which refuses what is longer; a cast would cut it.
    using = (
        "" if widens(change.old.type, new.type, "postgresql") else f" USING {name}::text::{new.type.partition('(')[0]}"
    )
    typed = f"ALTER COLUMN {name} TYPE {new.type}{collation}{using}"
    if change.old.default is None and new.default is None:
        return [typed]
    return [_default(new.name, None), typed, *([_default(new.name, new.default)] if new.default else [])]


def _default(column: str, value: str | None) -> str:
    return f"ALTER COLUMN {identifier(column)} {'DROP DEFAULT' if value is None else f'SET DEFAULT {value}'}"


def count_on(table: str, column: str) -> str:
    """Return the statement that lets PostgreSQL count on from the highest value of *column*."""
    place, name = identifier(table), identifier(column)
    sequence = f"pg_get_serial_sequence({quoted(place)}, {quoted(column)})"
    return f"SELECT setval({sequence}, coalesce(max({name}), 0) + 1, false) FROM {place}"
