"""Models of tables that were there first: other names, other types, none of our columns; on any database."""

from __future__ import annotations

import enum
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import pytest
from msgspec import Meta

from dataflow import Column, DataFlow, ForeignKey
from dataflow.errors import DuplicateError, ForeignKeyError
from kailash.errors import InvalidInputError
from suites.faces import Face, Facing


class Rating(enum.Enum):
    G = "G"
    PG = "PG-13"


class Elsewhere:
    """Tables that nobody made for us, with names that must be quoted."""

    TABLES: tuple[str, ...] = ()

    @pytest.fixture
    def shop(self, url: str, faced: Facing) -> Face:
        db = DataFlow(url, existing_schema_mode=True)
        with db.connection() as connection:
            for statement in self.TABLES:
                connection.ask(statement)

        @db.model
        class Customer:
            __tablename__ = "Customer List"
            __dataflow__ = {"timestamps": False}
            __indexes__ = [{"fields": ["name"], "unique": True}]

            id: Annotated[int, Column("CustomerID")]
            name: Annotated[str, Meta(max_length=40), Column("Full Name")]
            rank: Annotated[int, Column("order", type="smallint")] = 0

        @db.model
        class Order:
            __tablename__ = "order"
            __dataflow__ = {"timestamps": False}

            id: Annotated[str, Column("select", made=False)]
            customer_id: Annotated[int, ForeignKey("Customer.id", on_delete="no action"), Column("CustomerID")]
            rating: Annotated[Rating, Column("Rating", type="rating_type")] = Rating.G
            total: Annotated[Decimal | None, Column("Total", type="numeric(8,2)")] = None
            at: Annotated[datetime | None, Meta(tz=False), Column("At")] = None

        return faced(db)

    def test_the_tables_are_what_the_models_say(self, shop: Face) -> None:
        shop.db.schema.check()
        plan = shop.db.schema.plan()

        assert ([*plan.changes], [*plan.impossible]) == ([], [])

    def test_every_operation_works_under_the_names_of_the_fields(self, shop: Face) -> None:
        table = "customer_list"
        ann = shop.do(f"{table}.create", name="Ann", rank=3)
        shop.do(f"{table}.bulk_create", data=[{"name": "Bob"}, {"name": "Cid", "rank": 9}], returning=True)
        shop.do(f"{table}.update", id=ann["id"], rank={"$inc": 1})
        kept = shop.do(f"{table}.upsert", conflict_on=["name"], create={"name": "Ann"}, update={"rank": 5})
        shop.do(f"{table}.bulk_upsert", data=[{"name": "Bob", "rank": 2}, {"name": "Dan"}], conflict_on=["name"])
        shop.do(f"{table}.bulk_update", data=[{"id": ann["id"], "rank": 6}])
        shop.do(f"{table}.bulk_update", filter={"name": "Cid"}, update={"rank": 1})
        shop.do(f"{table}.delete", id=shop.express("find_one", "Customer", {"name": "Dan"})["id"])

        found = shop.do(f"{table}.list", filter={"rank__gt": 0}, sort="-rank", fields="name,rank")["records"]
        totals = shop.do(f"{table}.aggregate", group_by=["name"], sum="rank", sort="name")["groups"]
        gone = shop.do(f"{table}.bulk_delete", filter={"name__in": ["Bob", "Cid"]})

        assert ann == {"id": ann["id"], "name": "Ann", "rank": 3} and kept["created"] is False
        assert [(each["name"], each["rank"]) for each in found] == [("Ann", 6), ("Bob", 2), ("Cid", 1)]
        assert [each["sum_rank"] for each in totals] == [6, 2, 1]
        assert gone["deleted"] == 2

    def test_types_of_the_database_keep_what_they_are_given(self, shop: Face) -> None:
        ann = shop.do("customer_list.create", name="Ann")
        given = {"customer_id": ann["id"], "rating": "PG-13", "total": "12.50", "at": "2026-01-02T03:04:05"}
        stored = shop.do("order.create", id="a", **given)
        shop.do("order.bulk_create", data=[{"id": "b", **given}, {"id": "c", "customer_id": ann["id"]}])

        assert (stored["rating"], stored["total"], stored["at"]) == (
            Rating.PG, Decimal("12.50"), datetime(2026, 1, 2, 3, 4, 5),
        )  # fmt: skip
        assert shop.do("order.count", filter={"rating": "PG-13"}) == {"count": 2}
        assert shop.do("order.count", filter={"rating__in": ["G"]}) == {"count": 1}
        assert shop.do("order.count", filter={"total__gte": 12}) == {"count": 2}

    def test_relations_join_by_the_columns(self, shop: Face) -> None:
        ann = shop.do("customer_list.create", name="Ann")
        shop.do("order.create", id="a", customer_id=ann["id"])

        assert shop.do("order.read", id="a", include="customer")["customer"] == ann
        assert [each["id"] for each in shop.do("customer_list.read", id=ann["id"], include="order")["order"]] == ["a"]

    def test_a_refusal_names_the_field_and_not_the_column(self, shop: Face) -> None:
        shop.do("customer_list.create", name="Ann")

        with pytest.raises(DuplicateError) as twice:
            shop.do("customer_list.create", name="Ann")
        with pytest.raises(ForeignKeyError):
            shop.do("order.create", id="a", customer_id=99)
        with pytest.raises(InvalidInputError, match="id"):
            shop.do("order.create", customer_id=1)

        assert [each.field for each in twice.value.problems] == ["name"]

    def test_pages_go_on_by_a_cursor(self, shop: Face) -> None:
        shop.do("customer_list.bulk_create", data=[{"name": f"c{n}", "rank": n % 2} for n in range(5)])
        seen: list[Any] = []
        cursor = None
        while True:
            page = shop.do("customer_list.list", sort="-rank", limit=2, **({"cursor": cursor} if cursor else {}))
            seen += [each["name"] for each in page["records"]]
            if (cursor := page["next_cursor"]) is None:
                break

        assert seen == ["c1", "c3", "c0", "c2", "c4"]
