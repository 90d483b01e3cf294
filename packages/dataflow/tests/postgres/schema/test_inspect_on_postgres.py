"""Inspection on PostgreSQL, and what only it has."""

from __future__ import annotations

import pytest

from dataflow.schema.connection import Connection
from dataflow.schema.inspect import inspect
from suites import inspection


class TestInspection(inspection.Inspection):
    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url

    def test_enums_are_told_with_their_labels_in_order(self, connection: Connection) -> None:
        connection.ask("CREATE TYPE mood AS ENUM ('sad', 'ok', 'glad'); CREATE TABLE people (m mood, many mood[])")

        assert inspect(connection, ["people"]).enums == {"mood": ("sad", "ok", "glad")}

    def test_a_serial_column_is_counted_by_the_database(self, connection: Connection) -> None:
        connection.ask("CREATE TABLE counted (a SERIAL, b INTEGER GENERATED ALWAYS AS IDENTITY, c INTEGER DEFAULT 1)")

        columns = inspect(connection, ["counted"]).tables["counted"].columns

        assert [column.identity for column in columns] == [True, True, False]

    def test_partitions_know_their_table(self, connection: Connection) -> None:
        connection.ask(
            "CREATE TABLE events (at DATE NOT NULL) PARTITION BY RANGE (at);"
            "CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')"
        )

        tables = inspect(connection, ["events", "events_2026"]).tables

        assert (tables["events"].kind, tables["events"].partitioned_by) == ("partitioned table", "RANGE (at)")
        assert (tables["events_2026"].kind, tables["events_2026"].partition_of) == ("table", "events")

    def test_comments_and_collations_are_told(self, connection: Connection) -> None:
        connection.ask("CREATE TABLE words (w TEXT COLLATE \"C\"); COMMENT ON COLUMN words.w IS 'a word'")

        (word,) = inspect(connection, ["words"]).tables["words"].columns

        assert (word.collation, word.comment) == ("C", "a word")

    def test_a_key_to_another_schema_names_it(self, connection: Connection) -> None:
        connection.ask(
            "CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.targets (id INTEGER PRIMARY KEY);"
            "CREATE TABLE pointing (t INTEGER REFERENCES elsewhere.targets)"
        )

        (key,) = inspect(connection, ["pointing"]).tables["pointing"].foreign_keys

        assert key.table == "elsewhere.targets"
