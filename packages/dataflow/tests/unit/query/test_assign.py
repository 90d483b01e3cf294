from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import annotated_types
import pytest

from dataflow.query import binding
from dataflow.query.assign import Assignment, parse_changes
from kailash.errors import InvalidInputError
from kailash.shapes import Field, Shape

PRODUCT = Shape(
    "Product",
    [
        Field("stock", Annotated[int, annotated_types.Ge(0)]),
        Field("price", Decimal | None),
        Field("name", str),
        Field("active", bool),
        Field("details", dict),
    ],
)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({}, {}),
        ({"stock": 5}, {"stock": Assignment("set", 5)}),
        ({"stock": {"$set": 5}}, {"stock": Assignment("set", 5)}),
        ({"stock": {"$inc": 5}}, {"stock": Assignment("inc", 5)}),
        ({"stock": {"$inc": -5}}, {"stock": Assignment("inc", -5)}),
        ({"stock": {"$dec": 5.0}}, {"stock": Assignment("dec", 5)}),
        ({"price": {"$mul": "1.10"}}, {"price": Assignment("mul", Decimal("1.10"))}),
        ({"price": None}, {"price": Assignment("set", None)}),
        ({"details": {"a": 1}}, {"details": Assignment("set", {"a": 1})}),
        ({"details": {"$set": {"$inc": 1}}}, {"details": Assignment("set", {"$inc": 1})}),
        ({"details": {"$a": 1, "$b": 2}}, {"details": Assignment("set", {"$a": 1, "$b": 2})}),
        ({"details": {}}, {"details": Assignment("set", {})}),
        ({"name": "{$inc: 1}"}, {"name": Assignment("set", "{$inc: 1}")}),
    ],
    ids=str,
)
def test_a_change_is_a_value_or_what_is_done_to_it(raw: dict[str, Any], expected: dict[str, Assignment]) -> None:
    assert parse_changes(raw, PRODUCT) == expected


@pytest.mark.parametrize(
    ("raw", "fields"),
    [
        ({"stok": 5}, ["stok"]),
        ({"stok": {"$inc": 5}}, ["stok"]),
        ({"stock": {"$incr": 5}}, ["stock"]),
        ({"stock": {"$inc": "5"}}, ["stock"]),
        ({"stock": {"$inc": 1.5}}, ["stock"]),
        ({"stock": {"$inc": None}}, ["stock"]),
        ({"stock": {"$inc": 1, "$mul": 2}}, ["stock"]),
        ({"stock": {}}, ["stock"]),
        ({"stock": -1}, ["stock"]),
        ({"stock": {"$set": -1}}, ["stock"]),
        ({"stock": {"$inc": 2**63}}, ["stock"]),
        ({"name": {"$inc": 1}}, ["name"]),
        ({"active": {"$inc": 1}}, ["active"]),
        ({"details": {"$inc": 1}}, ["details"]),
        ({"name": {"first": "x"}}, ["name"]),
        ({"stock": {"$incr": 5}, "name": 5, "price": "dear"}, ["stock", "name", "price"]),
    ],
    ids=str,
)
def test_every_change_that_cannot_be_is_named(raw: dict[str, Any], fields: list[str]) -> None:
    with pytest.raises(InvalidInputError) as refusal:
        parse_changes(raw, PRODUCT)

    assert [problem.field for problem in refusal.value.problems] == fields


def test_an_unknown_operator_gets_a_suggestion() -> None:
    with pytest.raises(InvalidInputError, match=r"'\$incr' on 'stock'; did you mean '\$inc'"):
        parse_changes({"stock": {"$incr": 5}}, PRODUCT)


def test_changes_of_one_shape_differ_in_values_alone() -> None:
    one = binding.changes(parse_changes({"stock": {"$inc": 1}, "name": "a"}, PRODUCT))
    other = binding.changes(parse_changes({"stock": {"$inc": 7}, "name": "b"}, PRODUCT))

    assert one[0] == other[0]
    assert other[1] == {"_set_stock": 7, "_set_name": "b"}
