"""Names in the database."""

from __future__ import annotations

import pytest

from dataflow.model import naming


@pytest.mark.parametrize(
    ("model", "table"),
    [
        ("Category", "categories"),
        ("OrderItem", "order_items"),
        ("Person", "people"),
        ("Product", "products"),
        ("Address", "addresses"),
        ("Status", "statuses"),
        ("Box", "boxes"),
        ("Branch", "branches"),
        ("Quiz", "quizzes"),
        ("Day", "days"),
        ("Hero", "heroes"),
        ("Photo", "photos"),
        ("Shelf", "shelves"),
        ("Analysis", "analyses"),
        ("Metadata", "metadata"),
        ("UserSettings", "user_settings"),
        ("HTTPRequest", "http_requests"),
        ("APIKey", "api_keys"),
        ("Order2Item", "order2_items"),
        ("SalesPerson", "sales_people"),
        ("Media", "media"),
        ("X", "xes"),
    ],
)
def test_a_table_has_the_plural_of_its_model_in_snake_case(model: str, table: str) -> None:
    assert table == naming.table_name(model)


def test_a_long_name_is_cut_and_stays_distinct() -> None:
    one = naming.index_name("t" * 40, ["first" * 5, "second"], unique=False)
    other = naming.index_name("t" * 40, ["first" * 5, "third"], unique=False)

    assert len(one.encode()) == naming.MAX_BYTES
    assert one != other


def test_a_name_is_measured_in_bytes() -> None:
    assert len(naming.fit("é" * 60).encode()) <= naming.MAX_BYTES
    assert naming.fit("e" * 63) == "e" * 63
