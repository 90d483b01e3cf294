from __future__ import annotations

import enum
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from dataflow.errors import InvalidPageError, InvalidSortError
from dataflow.query import ordering
from dataflow.query.ordering import Order, Page
from kailash.shapes import Field, Shape


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


PRODUCT = Shape(
    "Product",
    [
        Field("id", int),
        Field("name", str),
        Field("price", Decimal | None),
        Field("made", datetime),
        Field("color", Color),
        Field("tags", list[str]),
        Field("details", dict),
    ],
)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (None, ()),
        ("", ()),
        ([], ()),
        ("price", (Order("price"),)),
        ("-price,name", (Order("price", True), Order("name"))),
        ("-price, +name", (Order("price", True), Order("name"))),
        ("price desc, name ASC", (Order("price", True), Order("name"))),
        (["-price", "name"], (Order("price", True), Order("name"))),
        ({"price": -1, "name": 1}, (Order("price", True), Order("name"))),
        ([("price", "desc"), {"name": "asc"}], (Order("price", True), Order("name"))),
        ((Order("price", True),), (Order("price", True),)),
    ],
    ids=str,
)
def test_an_order_has_many_spellings(raw: Any, expected: tuple[Order, ...]) -> None:
    assert ordering.parse_order(raw, PRODUCT) == expected


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("-prise", "'prise'; did you mean 'price'?"),
        ("--price", "'-price'; did you mean 'price'?"),
        ("price,", "''"),
        ("price,-price", "twice"),
        ("tags", "a list"),
        ("details", "a mapping"),
        ({"price": 2}, "direction of 'price'"),
        ({"price": True}, "direction of 'price'"),
        ([5], "sort key"),
        (5, "sort order"),
        ([["price", "name", "id"]], "sort key"),
        (["id"] * 17, "16"),
    ],
    ids=str,
)
def test_an_order_that_cannot_be_is_refused(raw: Any, words: str) -> None:
    with pytest.raises(InvalidSortError, match=words.replace("?", "\\?")):
        ordering.parse_order(raw, PRODUCT)


def test_an_order_ends_with_the_primary_key() -> None:
    assert ordering.total(()) == (Order("id"),)
    assert ordering.total((Order("price", True),)) == (Order("price", True), Order("id"))
    assert ordering.total((Order("id", True), Order("price"))) == (Order("id", True),)


def test_nulls_come_last_ascending_and_first_descending() -> None:
    prices = {1: None, 2: Decimal(2), 3: Decimal(1)}
    records: list[dict[str, Any]] = [{"id": id, "price": price} for id, price in prices.items()]

    rising = [record["id"] for record in ordering.arrange(records, (Order("price"),))]
    falling = [record["id"] for record in ordering.arrange(records, (Order("price", True),))]

    assert (rising, falling) == ([3, 2, 1], [1, 2, 3])


RECORD = {
    "id": 2**62, "name": "ä,\n'", "price": Decimal("1.10"), "made": datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    "color": Color.BLUE,
}  # fmt: skip
ORDER = (Order("name"), Order("price", True), Order("made"), Order("color"), Order("id"))


def test_a_cursor_brings_back_the_values_of_its_record() -> None:
    cursor = ordering.encode_cursor(ORDER, RECORD)

    assert ordering.decode_cursor(cursor, ORDER, PRODUCT) == tuple(RECORD[key.field] for key in ORDER)
    assert cursor.replace("-", "").replace("_", "").isalnum()


def test_a_cursor_may_stand_at_a_null() -> None:
    order = (Order("price"), Order("id"))

    cursor = ordering.encode_cursor(order, {**RECORD, "price": None})

    assert ordering.decode_cursor(cursor, order, PRODUCT) == (None, 2**62)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda cursor: cursor[:-2],
        lambda cursor: cursor + "AAAA",
        lambda cursor: "x" + cursor[1:],
        lambda cursor: "",
        lambda cursor: "!",
        lambda cursor: "ü",
        lambda cursor: "A" * 100_000,
        lambda cursor: urlsafe_b64encode(urlsafe_b64decode(cursor + "==").replace(b"name", b"price")).decode(),
    ],
)
def test_a_cursor_that_was_changed_is_refused(spoil: Any) -> None:
    cursor = ordering.encode_cursor((Order("name"), Order("id")), RECORD)

    with pytest.raises(InvalidPageError, match="cannot be read"):
        ordering.decode_cursor(spoil(cursor), (Order("name"), Order("id")), PRODUCT)


def test_a_cursor_of_another_order_is_refused() -> None:
    cursor = ordering.encode_cursor((Order("name"), Order("id")), RECORD)

    with pytest.raises(InvalidPageError, match="another sort order"):
        ordering.decode_cursor(cursor, (Order("name", True), Order("id")), PRODUCT)


def test_a_page_is_checked() -> None:
    assert ordering.page(10, None, None) == Page(10)
    assert ordering.page(None, 5, None) == Page(None, 5)
    assert ordering.page(10, 0, "x") == Page(10, 0, "x")
    for wrong in [(-1, 0, None), (True, 0, None), (1.5, 0, None), ("5", 0, None), (1, -1, None), (2**31, 0, None),
                  (1, 1, "x"), (1, 0, 5)]:  # fmt: skip
        with pytest.raises(InvalidPageError):
            ordering.page(*wrong)
