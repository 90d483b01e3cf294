"""A database that was there first, as values: its tables, its relations, and the models that stand for them.

Rule 1: what a model cannot say is left out and told, never guessed: a table without one primary key, a type that no
        Python type stands for.
Rule 2: what a model leaves to the database stays as it is: the models found here differ from their tables in nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from dataflow.schema.connection import Connection
from dataflow.schema.inspect import inspect
from dataflow.schema.state import Dialect, ForeignKey, SchemaState, Table

OURS: Final = "dataflow_"  # what names of our own tables begin with
DOMAINS: Final = "SELECT format_type(oid, NULL), format_type(typbasetype, typtypmod) FROM pg_type WHERE typtype = 'd'"


class Discovery(msgspec.Struct, frozen=True):
    """What is in a database: ``tables``, their foreign keys among them, ``enums``, and what ``domains`` are made of."""

    dialect: Dialect
    tables: Mapping[str, Table]
    enums: Mapping[str, tuple[str, ...]] = {}
    domains: Mapping[str, str] = {}

    @property
    def relations(self) -> list[tuple[str, ForeignKey]]:
        """The table and the foreign key of each relation."""
        return [(table.name, key) for table in self.tables.values() for key in table.foreign_keys]

    def to_dict(self) -> dict[str, Any]:
        """Return it in plain values, as JSON has them."""
        plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(SchemaState(self.tables, self.enums)))
        return plain

    def to_mermaid(self) -> str:
        """Draw the tables and their foreign keys in Mermaid's language of entity relationship diagrams."""
        lines = ["erDiagram"]
        for table in self.tables.values():
            lines.append(f"    {_quoted(table.name)} {{")
            keys = {column for key in table.foreign_keys for column in key.columns}
            for column in table.columns:
                marks = [mark for mark, of in (("PK", table.primary_key), ("FK", keys)) if column.name in of]
                kind = "".join(each if each.isalnum() else "_" for each in column.type) or "any"
                name = "".join(each if each.isalnum() else "_" for each in column.name)
                lines.append(f"        {kind} {name}{' ' + ', '.join(marks) if marks else ''}")
            lines.append("    }")
        for name, key in self.relations:
            one = "|o" if any(self.tables[name].by_name[column].nullable for column in key.columns) else "||"
            label = ", ".join(key.columns).replace('"', "'")
            lines.append(f'    {_quoted(key.table)} {one}--o{{ {_quoted(name)} : "{label}"')
        return "\n".join(lines) + "\n"


def discover(connection: Connection, names: Iterable[str] | None = None) -> Discovery:
    """Return what *connection*'s database has; names: these tables and views alone. Our own tables are left out."""
    found = inspect(connection, names)
    domains = {}
    if connection.dialect == "postgresql":
        domains = {str(name): str(kind) for name, kind in connection.ask(DOMAINS)}
    tables = {name: table for name, table in found.tables.items() if not name.startswith(OURS)}
    return Discovery(connection.dialect, tables, found.enums, domains)


def _quoted(name: str) -> str:
    return name if name.isidentifier() else '"' + name.replace('"', "'") + '"'
