"""SQLite: a table made anew, with its records, indexes and triggers, for what ALTER TABLE cannot do.

The order is that of https://www.sqlite.org/lang_altertable.html#otheralter. Foreign keys are off meanwhile, which only
works outside a transaction: `dataflow.schema.session` sees to that, and to the old way of renaming, which leaves views
and triggers of other tables as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dataflow.schema import ddl
from dataflow.schema.after import after_all
from dataflow.schema.changes import AddColumn, Change, CreateIndex, DropColumn, SetType
from dataflow.schema.measure import Hanging
from dataflow.schema.rules import identifier
from dataflow.schema.state import SchemaState, Table

PREFIX = "dataflow_new_"


def statements(
    table: Table, changes: Sequence[Change], texts: Sequence[Hanging], others: Mapping[str, Table]
) -> Iterator[str]:
    """Yield what makes *table* anew with *changes*, all of which are of it.

    texts: its indexes and triggers. others: the tables that it may point to.
    """
    made = after_all(SchemaState({**others, table.name: table}), changes).tables[table.name]
    new, old = identifier(PREFIX + table.name), identifier(table.name)
    yield ddl.create_table(made, "sqlite", PREFIX + table.name)
    names, values = _copied(table, made, changes)
    yield f"INSERT INTO {new} ({', '.join(names)}) SELECT {', '.join(values)} FROM {old}"
    if table.autoincrement and made.autoincrement:
        yield (
            f"UPDATE sqlite_sequence SET seq = (SELECT max(seq) FROM sqlite_sequence WHERE name IN"
            f" ({_text(table.name)}, {_text(PREFIX + table.name)})) WHERE name = {_text(PREFIX + table.name)}"
        )
    yield f"DROP TABLE {old}"
    yield f"ALTER TABLE {new} RENAME TO {old}"
    yield from _hanging(table, made, texts)
    for change in changes:
        if isinstance(change, CreateIndex):
            yield ddl.create_index(table.name, change.index)


def _copied(table: Table, made: Table, changes: Sequence[Change]) -> tuple[list[str], list[str]]:
    """Return the columns that are written, and the expressions that they are read by."""
    added = {change.column.name: change for change in changes if isinstance(change, AddColumn)}
    dropped = {change.column.name for change in changes if isinstance(change, DropColumn)}
    names, values = [], []
    for column in made.columns:
        if column.generated is not None:
            continue
        change = added.get(column.name)
        if change is not None and change.fill is None:
            continue  # its default, or null
        if column.name in dropped and change is None:
            continue
        names.append(identifier(column.name))
        values.append(ddl.fill(change, "sqlite") if change is not None else _converted(column.name, changes))
    return names, values


def _converted(name: str, changes: Sequence[Change]) -> str:
    """Return the expression of a column that stays, of another type where a change says so."""
    value = identifier(name)
    for change in changes:
        if isinstance(change, SetType) and change.new.name == name:
            value = f"CAST({value} AS {change.new.type.upper()})"
    return value


def _hanging(table: Table, made: Table, texts: Sequence[Hanging]) -> Iterator[str]:
    """Yield the statements of the indexes and triggers that the new table has as well."""
    gone = {index.name for index in table.indexes} - {index.name for index in made.indexes}
    yield from (each.sql for each in texts if each.trigger or each.name not in gone)


def _text(word: str) -> str:
    return "'" + word.replace("'", "''") + "'"
