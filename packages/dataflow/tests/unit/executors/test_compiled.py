"""Statements compiled for each driver."""

from __future__ import annotations

import logging
from decimal import Decimal

import pytest
import sqlalchemy as sa

from dataflow.effects import WHOLE, Query
from dataflow.executors.compiled import Compiler, Driver, rows_reader
from dataflow.model.types import Number

TABLE = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("price", Number().with_variant(sa.Text(), "sqlite")),
)


def select() -> sa.Executable:
    return sa.select(TABLE).where(TABLE.c.price > sa.bindparam("least"), TABLE.c.id != 7)


@pytest.mark.parametrize(
    ("driver", "sql", "arguments"),
    [
        ("asyncpg", "WHERE things.price > $1::NUMERIC AND things.id != $2::BIGINT", (Decimal("1.5"), 7)),
        ("psycopg2", "WHERE things.price > %s AND things.id != %s", (Decimal("1.5"), 7)),
        ("sqlite", "WHERE things.price > ? AND things.id != ?", ("1.5", 7)),
    ],
)
def test_arguments_are_in_the_order_of_the_text_and_encoded(driver: Driver, sql: str, arguments: object) -> None:
    compiled = Compiler(driver).compile(Query("shape", select, {"least": Decimal("1.5")}))

    assert compiled.sql.replace("\n", " ").endswith(sql)
    assert compiled.arguments({"least": Decimal("1.5")}) == arguments
    assert compiled.arguments({"least": None})[0] is None


def test_rows_become_records_of_decoded_values() -> None:
    compiled = Compiler("sqlite").compile(Query("shape", select, {"least": Decimal(1)}))

    assert compiled.rows is not None
    records = compiled.rows([(1, "2.50"), (2, None)], {})
    assert records == [{"id": 1, "price": Decimal("2.50")}, {"id": 2, "price": None}]


def test_what_is_not_selected_of_a_whole_record_is_what_is_bound_or_null() -> None:
    whole = {"id": "_id", "price": None, "sold_at": None}
    part = sa.select(TABLE.c.price).execution_options(**{WHOLE: whole})

    rows = Compiler("sqlite").compile(Query("shape", lambda: part, {})).rows

    assert rows is not None
    assert [list(record.items()) for record in rows([("2.50",)], {"_id": 7})] == [
        [("id", 7), ("price", Decimal("2.50")), ("sold_at", None)]
    ]


def test_names_of_columns_are_never_code() -> None:
    name = "a': 1}; import os #\\\"\n{x}"

    assert rows_reader([(name, None)])([(5,)], {}) == [{name: 5}]
    assert rows_reader([("id", None)], {"id": None, name: name})([(5,)], {name: 6}) == [{"id": 5, name: 6}]


def test_a_write_without_returning_asks_for_no_rows() -> None:
    insert = Query("insert", lambda: sa.insert(TABLE).values(price=sa.bindparam("price")), {"price": 1}, writes=True)

    compiled = Compiler("asyncpg").compile(insert)

    assert "RETURNING" not in compiled.sql
    assert (compiled.rows, compiled.table) == (None, TABLE)


def test_a_value_that_is_not_given_is_named() -> None:
    with pytest.raises(KeyError, match="least"):
        Compiler("sqlite").compile(Query("shape", select, {}))


def test_echo_logs_the_text_and_no_value(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "dataflow.sql"):
        Compiler("sqlite", echo=True).compile(Query("shape", select, {"least": Decimal("41.5")}))

    assert "SELECT things.id" in caplog.text and "41.5" not in caplog.text
