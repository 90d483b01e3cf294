"""What an inspection tells of tables that somebody else made, on any database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dataflow.executors.sync import SyncExecutor
from dataflow.schema.connection import Connection
from dataflow.schema.fingerprint import fingerprint
from dataflow.schema.inspect import inspect
from dataflow.schema.state import Check, ForeignKey, Table

ORDERS = """CREATE TABLE "Order" (
  "Select" INTEGER NOT NULL, b INTEGER NOT NULL, note VARCHAR(20) DEFAULT 'a (b), c',
  CONSTRAINT pair PRIMARY KEY ("Select", b), CONSTRAINT positive CHECK (b > 0), UNIQUE (note)
)"""
LINES = """CREATE TABLE lines (
  id INTEGER PRIMARY KEY, o INTEGER, b INTEGER, twice INTEGER GENERATED ALWAYS AS (b * 2) STORED,
  CONSTRAINT fk_lines FOREIGN KEY (o, b) REFERENCES "Order" ("Select", b) ON DELETE CASCADE
)"""
HAND_MADE = (
    ORDERS,
    LINES,
    "CREATE INDEX part ON lines (o) WHERE b > 3",
    "CREATE INDEX calculated ON lines ((b + 1), o)",
    "CREATE VIEW seen AS SELECT id, o FROM lines",
)


class Inspection:
    @pytest.fixture
    def connection(self, executor: SyncExecutor) -> Iterator[Connection]:
        with executor.ddl() as connection:
            for statement in HAND_MADE:
                connection.ask(statement)
            yield connection

    @pytest.fixture
    def tables(self, connection: Connection) -> dict[str, Table]:
        return dict(inspect(connection).tables)

    def test_without_names_everything_is_told(self, connection: Connection) -> None:
        assert sorted(inspect(connection).tables) == ["Order", "lines", "seen"]
        assert sorted(inspect(connection, ["lines", "absent"]).tables) == ["lines"]
        assert inspect(connection, []).tables == {}

    def test_a_composite_key_has_its_order_and_its_name(self, tables: dict[str, Table]) -> None:
        assert tables["Order"].primary_key == ("Select", "b")
        assert tables["Order"].primary_key_name == "pair"

    def test_a_default_is_told_and_a_column_without_one_is_not_filled(self, tables: dict[str, Table]) -> None:
        columns = tables["Order"].by_name

        assert columns["note"].default is not None
        assert columns["note"].default.startswith("'a (b), c'")
        assert (columns["note"].filled, columns["b"].filled) == (True, False)

    def test_checks_are_told_with_their_names(self, tables: dict[str, Table]) -> None:
        (check,) = tables["Order"].checks

        assert check.name == "positive"
        assert "b > 0" in check.expression

    def test_a_unique_constraint_is_an_index(self, tables: dict[str, Table]) -> None:
        (index,) = tables["Order"].indexes

        assert (index.columns, index.unique, index.constraint) == (("note",), True, True)

    def test_a_composite_foreign_key_is_one_key(self, tables: dict[str, Table]) -> None:
        assert tables["lines"].foreign_keys == (
            ForeignKey(("o", "b"), "Order", ("Select", "b"), "CASCADE", name="fk_lines"),
        )

    def test_an_index_for_a_purpose_of_its_own_covers_nothing(self, tables: dict[str, Table]) -> None:
        indexes = {index.name: index for index in tables["lines"].indexes}

        assert {name: index.covers for name, index in indexes.items()} == {"part": None, "calculated": None}
        assert indexes["part"].where is not None
        assert not indexes["calculated"].plain

    def test_a_computed_column_is_told(self, tables: dict[str, Table]) -> None:
        twice = tables["lines"].by_name["twice"]

        assert twice.generated is not None
        assert "b * 2" in twice.generated
        assert twice.default is None

    def test_a_view_is_not_a_table(self, tables: dict[str, Table]) -> None:
        assert (tables["seen"].kind, tables["seen"].writable) == ("view", False)
        assert "FROM lines" in str(tables["seen"].definition)
        assert [column.name for column in tables["seen"].columns] == ["id", "o"]

    def test_every_change_by_hand_changes_the_fingerprint(self, connection: Connection) -> None:
        names = ["Order", "lines"]
        seen = [fingerprint(connection, names)]
        for statement in (
            "ALTER TABLE lines ADD COLUMN mood TEXT",
            "ALTER TABLE lines RENAME COLUMN mood TO temper",
            "CREATE INDEX another ON lines (b)",
            "ALTER TABLE lines ADD COLUMN level INTEGER DEFAULT 1 NOT NULL",
            "DROP INDEX another",
            "DROP VIEW seen",
            "DROP TABLE lines",
        ):
            connection.ask(statement)
            seen.append(fingerprint(connection, names))

        assert seen[5] == seen[6]  # a view that nobody asked for
        assert len(set(seen)) == 7

    def test_a_check_that_is_not_there_is_not_told(self, tables: dict[str, Table]) -> None:
        assert tables["lines"].checks == ()
        assert Check("positive", "b > 0") not in tables["lines"].checks
