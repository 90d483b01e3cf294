"""The suite of what other programs write, on SQLite: by plain connections, which have nothing of ours."""

from __future__ import annotations

import math
import sqlite3
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow import DataFlow
from dataflow.errors import SchemaMismatchError
from dataflow.ledger.spelling import OWN
from suites import others
from suites.evolution import item

INTO = f"INSERT INTO items (name, {{0}}, created_at, updated_at) VALUES ('x', {{1}}, {others.NOW}, {others.NOW})"


@pytest.fixture
def other(sqlite_url: str) -> others.Run:
    def run(sql: str) -> None:
        with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as connection:
            connection.execute("PRAGMA trusted_schema = OFF")  # as a careful program does
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(sql)
            connection.commit()

    return run


class TestByOthers(others.ByOthers):
    @pytest.fixture
    def url(self, sqlite_url: str) -> str:
        return sqlite_url


@pytest.mark.parametrize(
    ("kind", "written", "read"),
    [
        (int, "9e999", "Inf"),
        (int, "'many'", "many"),
        (str, "x'00ff'", "00FF"),
        (str, "'a\\\"b' || char(1, 9, 10, 13, 31, 233)", 'a\\"b\x01\t\n\r\x1fé'),
        (float, "-9e999", -math.inf),
        (float, "'much'", "much"),
        (Decimal, "'1.10'", Decimal("1.10")),
        (bytes, "x'00ff'", b"\x00\xff"),
        (dict, "'{'", "{"),
        (bool, "1", True),
    ],
)
def test_whatever_others_write_is_taken_and_told(
    sqlite_url: str, other: others.Run, kind: type, written: str, read: object
) -> None:
    """A column of SQLite takes what no field allows; neither the write nor the feed fails."""
    with others.opened(sqlite_url, value=(kind | None, None)) as db:
        other(INTO.format("value", written))
        other("UPDATE items SET name = 'y'")

        assert [(each.after or {})["value"] for each in db.feed.read()] == [read, read]


@given(value=st.floats(allow_nan=False))
def test_a_float_keeps_all_its_digits(value: float) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        text = connection.execute("SELECT printf('%!.20g', ?)", (value,)).fetchone()[0]

    assert float(text) == value


def test_without_the_right_to_make_triggers_it_is_refused(sqlite_url: str) -> None:
    others.opened(sqlite_url, method=None).close()
    with DataFlow(sqlite_url, change_detection_method="database_triggers", auto_migrate=False) as db:
        db.model(item(name=str))
        with pytest.raises(SchemaMismatchError, match="does not tell"):
            db.prepare()


def test_a_column_that_goes_lets_others_write(sqlite_url: str, other: others.Run) -> None:
    """Until somebody tells of the model again nobody tells: a trigger that names it would refuse every write."""
    others.opened(sqlite_url).close()
    with others.opened(sqlite_url, extra=(str | None, None)) as db:
        db.schema.rollback(accept=db.schema.rollback(dry_run=True).plan.name)
        other(others.INTO_ITEM % "meanwhile")
        assert others.told(db) == []


def test_a_history_that_goes_lets_others_write(sqlite_url: str, other: others.Run) -> None:
    others.opened(sqlite_url, __dataflow__={"versioned": True, "history": False}).close()
    with others.opened(sqlite_url, __dataflow__={"versioned": True}) as db:
        db.schema.rollback(accept=db.schema.rollback(dry_run=True).plan.name)
        other(others.INTO_ITEM % "meanwhile")

        assert others.told(db) == [("create", "Item", 1)]


def test_a_model_of_many_fields_is_told(sqlite_url: str, other: others.Run) -> None:
    """An expression of SQLite may be 1,000 deep, and the call of a function have 100 arguments."""
    fields: dict[str, Any] = {f"field{n}": (int, n) for n in range(700)}
    with others.opened(sqlite_url, **fields) as db:
        db.express_sync.create("Item", {"name": "one"})
        other("UPDATE items SET field699 = -1")

        assert [(each.after or {})["field699"] for each in db.feed.read()] == [699, -1]


def test_in_memory_what_we_write_is_told_once() -> None:
    with others.opened("sqlite:///:memory:") as db:
        db.express_sync.create("Item", {"name": "one"})

        assert others.told(db) == [("create", "Item", 1)]


def test_any_other_question_to_a_connection_of_ours_has_the_answer_of_sqlite(sqlite_url: str) -> None:
    with others.opened(sqlite_url) as db, closing(sqlite3.connect(":memory:")) as plain:
        db.express_sync.create("Item", {"name": "one"})
        options = [option.partition("=")[0] for (option,) in plain.execute("PRAGMA compile_options")]
        with db.connection() as connection:
            for option in [*options, "SQLITE_NEVER_HEARD_OF"]:
                asked = f"SELECT {OWN}(?)"
                assert connection.ask(asked, (option,)) == plain.execute(asked, (option,)).fetchall()
