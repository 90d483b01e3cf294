"""How a `Load` is spelled: the columns of its table, their encoders, and the table made for one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from dataflow.effects import Load
from dataflow.executors.compiled import Compiler, Convert, Driver, codec, tuples_reader

if TYPE_CHECKING:
    from sqlalchemy import Table

ORDINAL = "ordinal_"  # position of a record in its load, from 0


class Loading:
    """One way to load: a table, some of its columns, for one driver."""

    __slots__ = ("columns", "create", "drop", "encode", "insert", "name", "schema", "table")

    def __init__(self, load: Load, compiler: Compiler, driver: Driver) -> None:
        self.table: Table = load.table()
        quote = compiler.dialect.identifier_preparer.quote
        columns = [self.table.c[field] for field in load.fields]
        encoders = [codec(column.type, driver)[0] for column in columns]
        self.encode: Any = tuples_reader(encoders) if any(encoders) else _same
        # what is loaded for a moment is called as the fields are, as `dataflow.operations.statements` calls it
        self.columns = tuple(column.name if load.temporary is None else column.key for column in columns)
        self.name, self.schema = self.table.name, self.table.schema
        self.create = self.drop = ""
        place = compiler.dialect.identifier_preparer.format_table(self.table)
        if load.temporary is not None:
            types = compiler.dialect.type_compiler_instance
            typed = [f"{quote(column.key)} {types.process(column.type)}" for column in columns]
            self.encode = _numbered(self.encode)
            self.columns = (ORDINAL, *self.columns)
            self.name, self.schema, place = load.temporary, None, quote(load.temporary)
            made = f"CREATE TEMPORARY TABLE {place} ({ORDINAL} BIGINT NOT NULL, {', '.join(typed)})"
            self.drop = f"DROP TABLE IF EXISTS {'temp' if driver == 'sqlite' else 'pg_temp'}.{place}"
            # an earlier plan of the same transaction may have left one: PostgreSQL drops them at commit only
            self.create = made if driver == "sqlite" else f"{self.drop}; {made} ON COMMIT DROP"
        listed = ", ".join(quote(column) for column in self.columns)
        marks = ", ".join("?" * len(self.columns))
        into = f"{place} ({listed})"
        self.insert = f"INSERT INTO {into} VALUES ({marks})" if driver == "sqlite" else f"COPY {into} FROM STDIN"


def _same(records: Iterable[Sequence[Any]]) -> Iterable[Sequence[Any]]:
    return records


def _numbered(encode: Convert) -> Convert:
    return lambda records: [(number, *record) for number, record in enumerate(encode(records))]


class Loadings:
    """The loadings of one database and driver, made once for each table and set of columns."""

    def __init__(self, compiler: Compiler, driver: Driver) -> None:
        self._compiler = compiler
        self._driver: Driver = driver
        self._known: dict[tuple[int, tuple[str, ...], str | None], Loading] = {}

    def find(self, load: Load) -> Loading:
        """Return how *load* is done."""
        table = load.table()
        key = (id(table), load.fields, load.temporary)
        found = self._known.get(key)
        if found is None or found.table is not table:
            found = self._known[key] = Loading(load, self._compiler, self._driver)
        return found
