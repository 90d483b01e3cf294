from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import psycopg2

from dataflow.model.declare import declare
from dataflow.model.table import build_table
from dataflow.query import binding, render
from dataflow.query.assign import Assignment
from dataflow.query.ordering import Order
from kailash.conditions import EVERYTHING, Test, parse


class Product:
    name: str
    price: float | None
    stock: int
    tags: list[str]


SPEC = declare(Product)
TABLE = build_table(SPEC, sa.MetaData())


def _text(element: Any, dialect: str) -> str:
    """The element as SQL, on one line, without the name of the table."""
    family: Any = psycopg2.dialect if dialect == "postgresql" else sqlite.dialect
    chosen = family(paramstyle="named")
    return " ".join(str(element.compile(dialect=chosen)).replace("products.", "").split())


@pytest.mark.parametrize(
    ("raw", "on_postgresql", "on_sqlite"),
    [
        ({"stock": 5}, "stock = :_w0", "stock = :_w0"),
        ({"stock": {"$ne": 5}}, "stock != :_w0", "stock != :_w0"),
        ({"price": {"$ne": 5}}, "price IS DISTINCT FROM :_w0", "price IS NOT :_w0"),
        ({"price": None}, "price IS NULL", "price IS NULL"),
        ({"stock__between": [1, 2]}, "stock >= :_w0 AND stock <= :_w1", "stock >= :_w0 AND stock <= :_w1"),
        (
            {"stock__in": [1, 2]},
            "stock = ANY (CAST(:_w0 AS BIGINT[]))",
            "stock IN (SELECT anon_1.value FROM json_each(:_w0) AS anon_1)",
        ),
        ({"name__startswith": "a"}, "name LIKE :_w0", "name LIKE :_w0 ESCAPE '\\'"),
        ({"name__icontains": "a"}, "name ~ :_w0", "regexp(:_w0, name)"),
        ({"tags__contains": "a"}, "tags @> :_w0::JSONB", "dataflow_json_has(tags, :_w0)"),
        ({"tags": ["a"]}, "tags = :_w0::JSONB", "dataflow_json_same(tags, :_w0)"),
        ({"$not": {"price": 5}}, "(price = :_w0) IS NOT true", "(price = :_w0) IS NOT 1"),
        (
            {"stock": 1, "$or": [{"price": 2}, {"name": "a"}]},
            "stock = :_w0 AND (price = :_w1 OR name = :_w2)",
            "stock = :_w0 AND (price = :_w1 OR name = :_w2)",
        ),
    ],
    ids=str,
)
def test_a_condition_is_written_for_each_database(raw: dict[str, Any], on_postgresql: str, on_sqlite: str) -> None:
    where = parse(raw, SPEC.record)
    condition = render.condition(TABLE, where)

    assert (_text(condition, "postgresql"), _text(condition, "sqlite")) == (on_postgresql, on_sqlite)
    assert set(binding.parameters(where)) == set(condition.compile(dialect=sqlite.dialect()).params)


def test_beside_an_id_no_index_answers() -> None:
    condition = render.condition(TABLE, parse({"name": "a", "stock__gt": 5}, SPEC.record), by_id=True)

    assert _text(condition, "postgresql") == "name IS NOT DISTINCT FROM :_w0 AND stock > :_w1"
    assert _text(condition, "sqlite") == "name IS :_w0 AND stock > :_w1"


@pytest.mark.parametrize("dialect", ["postgresql", "sqlite"])
def test_one_shape_is_one_text(dialect: str) -> None:
    filters: list[dict[str, Any]] = [
        {"stock__in": members, "$or": [{"name__ilike": "a%"}, {"name__regex": name}, {"tags__contains": name}]}
        for members, name in (([], "x"), ([1], "y"), (list(range(9_999)), "'; DROP TABLE products; --"))
    ]

    texts = {_text(render.condition(TABLE, parse(raw, SPEC.record)), dialect) for raw in filters}

    assert len(texts) == 1
    assert "DROP" not in texts.pop()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"price": None, "stock": 5}, ["price"]),
        ({"$and": [{"name__null": True}, {"$and": [{"price__null": True}]}]}, ["name", "price"]),
        ({"price__null": False}, []),
        ({"$or": [{"price": None}, {"stock": 5}]}, []),
        ({"$not": {"price": None}}, []),
        ({}, []),
    ],
    ids=str,
)
def test_what_a_condition_says_is_null_is_known(raw: dict[str, Any], expected: list[str]) -> None:
    asked = parse(raw, SPEC.record)

    assert binding.known(asked) == dict.fromkeys(expected)


@pytest.mark.parametrize("raw", [{}, {"stock": 5}, {"$or": [{"stock": 5}, {"stock": 6}]}], ids=str)
def test_what_a_policy_says_is_known_by_its_bind(raw: dict[str, Any]) -> None:
    several = Test("stock", "between", (1, 9)) & Test("price", "null", True) & Test("name", "eq", "acme")
    where = binding.narrowed(parse(raw, SPEC.record), binding.ready(several))

    assert binding.known(where) == {"price": None, "name": "_p2"}
    assert binding.parameters(where)["_p2"] == "acme"


def test_everything_is_the_shape_of_nothing_asked() -> None:
    assert EVERYTHING.shape == render.NOTHING_ASKED
    assert _text(render.condition(TABLE, EVERYTHING), "postgresql") == "true"
    assert binding.parameters(EVERYTHING) == {}


@pytest.mark.parametrize(
    ("order", "nulls", "expected"),
    [
        ([Order("id")], [False], "id > :_after0"),
        ([Order("name"), Order("id")], [False, False], "(name, id) > (:_after0, :_after1)"),
        ([Order("name", True), Order("id", True)], [False, False], "(name, id) < (:_after0, :_after1)"),
        ([Order("stock", True), Order("id")], [False, False], "stock < :_after0 OR stock = :_after0 AND id > :_after1"),
        (
            [Order("price"), Order("id")],
            [False, False],
            "price > :_after0 OR price IS NULL OR price = :_after0 AND id > :_after1",
        ),
        ([Order("price"), Order("id")], [True, False], "price IS NULL AND id > :_after1"),
        ([Order("price", True), Order("id")], [True, False], "price IS NOT NULL OR price IS NULL AND id > :_after1"),
    ],
    ids=str,
)
def test_a_cursor_stands_between_two_records(order: list[Order], nulls: list[bool], expected: str) -> None:
    assert _text(render.keyset(TABLE, order, nulls), "postgresql") == expected


def test_the_place_of_nulls_is_written_only_where_there_are_any() -> None:
    keys = render.order_by(TABLE, [Order("price"), Order("price", True), Order("id")])

    assert [_text(key, "sqlite") for key in keys] == ["price ASC NULLS LAST", "price DESC NULLS FIRST", "id ASC"]


@pytest.mark.parametrize(
    ("operator", "on_postgresql", "on_sqlite"),
    [
        ("set", ":v", ":v"),
        ("inc", "stock + :v", "dataflow_add(stock, :v)"),
        ("dec", "stock - :v", "dataflow_subtract(stock, :v)"),
        ("mul", "stock * :v", "dataflow_multiply(stock, :v)"),
    ],
)
def test_a_change_is_written_for_each_database(operator: Any, on_postgresql: str, on_sqlite: str) -> None:
    change = render.assignment(TABLE.c.stock, Assignment(operator, 1), "v")

    assert (_text(change, "postgresql"), _text(change, "sqlite")) == (on_postgresql, on_sqlite)


def test_a_list_of_values_is_cast_to_no_length() -> None:
    assert render.Several(sa.String(20, collation="C")).get_col_spec() == "TEXT[]"
    assert render.Several(sa.Numeric(10, 2)).get_col_spec() == "NUMERIC[]"
