"""What an aggregate answers: the same on any database, through either face, as plain Python."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow import DataFlow
from dataflow.errors import InvalidSortError
from kailash.errors import InvalidFilterError, InvalidInputError
from suites.faces import Face, Facing

DAY = dt.datetime(2024, 5, 15, 13, 45, 30, 123456, tzinfo=dt.UTC)
ROWS: list[dict[str, Any]] = [
    {"category": "lamps", "price": 20.0, "stock": 5, "cost": Decimal("12.50"), "sold_at": DAY, "status": "done"},
    {"category": "lamps", "price": 30.0, "stock": 15, "cost": Decimal("7.5"), "sold_at": DAY + dt.timedelta(days=20)},
    {"category": "chairs", "price": 99.5, "stock": 2, "cost": None, "sold_at": DAY, "status": "done"},
    {"category": "chairs", "price": 10.5, "stock": 0, "cost": Decimal("100"), "sold_at": DAY + dt.timedelta(hours=20)},
    {"category": None, "price": 1.0, "stock": 1, "cost": Decimal("0.1"), "sold_at": DAY},
]


def shop_at(url: str) -> DataFlow:
    db = DataFlow(url)

    @db.model
    class Product:
        price: float
        stock: int
        sold_at: dt.datetime
        category: str | None = None
        cost: Decimal | None = None
        status: str = "new"
        day: dt.date | None = None
        tags: list[str] = []

    return db


class Aggregates:
    @pytest.fixture
    def shop(self, url: str, faced: Facing) -> Face:
        face = faced(shop_at(url))
        face.express("bulk_create", "Product", ROWS)
        return face

    def test_the_dashboard_of_the_inventory(self, shop: Face) -> None:
        answer = shop.do(
            "products.aggregate",
            group_by=["category"],
            aggregate={
                "total_value": {"$sum": {"$multiply": ["price", "stock"]}},
                "low_stock_count": {"$sum": {"$case": [{"$lt": ["stock", 10]}, 1, 0]}},
            },
        )

        assert answer == {
            "groups": [
                {"category": "chairs", "total_value": 199.0, "low_stock_count": 2},
                {"category": "lamps", "total_value": 550.0, "low_stock_count": 1},
                {"category": None, "total_value": 1.0, "low_stock_count": 1},
            ],
            "count": 3,
        }

    def test_the_revenue_of_each_day(self, shop: Face) -> None:
        rows = shop.express(
            "aggregate",
            "Product",
            filter={"status": "done"},
            group_by=[{"$date_trunc": ["day", "sold_at"]}],
            aggregate={"daily_revenue": {"$sum": "price"}, "order_count": {"$count": "*"}},
        )

        assert rows == [
            {"sold_at_day": dt.datetime(2024, 5, 15, tzinfo=dt.UTC), "daily_revenue": 119.5, "order_count": 2}
        ]

    def test_a_decimal_stays_one_and_an_average_has_16_places(self, shop: Face) -> None:
        (row,) = shop.express(
            "aggregate", "Product", sum="cost", avg=["cost", "stock"], min="cost", max="cost", count_distinct="category"
        )

        assert row == {
            "sum_cost": Decimal("120.1"),
            "avg_cost": Decimal("30.025"),
            "avg_stock": 4.6,
            "min_cost": Decimal("0.1"),
            "max_cost": Decimal("100"),
            "count_distinct_category": 2,
        }
        assert [type(value) for value in row.values()] == [Decimal, Decimal, float, Decimal, Decimal, int]

    def test_groups_are_chosen_sorted_and_limited(self, shop: Face) -> None:
        def ask(**more: Any) -> list[Any]:
            found = shop.express("aggregate", "Product", group_by="category", sum="stock,cost", **more)
            return [row["category"] for row in found]

        assert ask(having={"sum_stock": {"$gte": 2}}) == ["chairs", "lamps"]
        assert ask(having={"sum_cost": {"$lt": 100}}, sort="-sum_cost") == ["lamps", None]
        assert ask(sort="-sum_cost") == ["chairs", "lamps", None]
        assert ask(sort="-category", limit=2) == [None, "lamps"]
        assert ask(having={"category": None}) == [None]

    @pytest.mark.parametrize(
        ("unit", "first"),
        [
            ("year", dt.datetime(2024, 1, 1)),
            ("quarter", dt.datetime(2024, 4, 1)),
            ("month", dt.datetime(2024, 5, 1)),
            ("week", dt.datetime(2024, 5, 13)),
            ("day", dt.datetime(2024, 5, 15)),
            ("hour", dt.datetime(2024, 5, 15, 13)),
            ("minute", dt.datetime(2024, 5, 15, 13, 45)),
            ("second", dt.datetime(2024, 5, 15, 13, 45, 30)),
        ],
    )
    def test_dates_are_grouped_by_any_unit(self, shop: Face, unit: str, first: dt.datetime) -> None:
        rows = shop.express("aggregate", "Product", group_by=f"sold_at:{unit}")

        assert rows[0][f"sold_at_{unit}"] == first.replace(tzinfo=dt.UTC)

    def test_days_are_grouped_by_month(self, shop: Face) -> None:
        shop.express("bulk_update", "Product", [{"id": 1, "day": dt.date(2024, 2, 29)}])

        rows = shop.express("aggregate", "Product", group_by={"$date_trunc": ["month", "day"]})

        assert rows == [{"day_month": dt.date(2024, 2, 1), "count": 1}, {"day_month": None, "count": 4}]

    def test_nothing_at_all_has_a_sum_of_0_and_no_average(self, shop: Face) -> None:
        rows = shop.express(
            "aggregate", "Product", filter={"stock": 1_000}, sum=["stock", "price", "cost"], avg="cost", max="stock"
        )

        assert rows == [{"sum_stock": 0, "sum_price": 0.0, "sum_cost": 0, "avg_cost": None, "max_stock": None}]
        assert [type(rows[0][name]) for name in ("sum_stock", "sum_price", "sum_cost")] == [int, float, Decimal]
        assert shop.express("aggregate", "Product", filter={"stock": 1_000}, group_by="category") == []

    def test_a_division_by_zero_gives_nothing(self, shop: Face) -> None:
        (row,) = shop.express("aggregate", "Product", aggregate={"most": {"$max": {"$divide": ["price", "stock"]}}})

        assert row == {"most": 49.75}

    def test_conditions_compare_texts_dates_and_decimals(self, shop: Face) -> None:
        def number(condition: Any) -> Any:
            asked = {"n": {"$sum": {"$case": [condition, 1, 0]}}}
            return shop.express("aggregate", "Product", aggregate=asked)[0]["n"]

        assert number({"$eq": ["category", "lamps"]}) == 2
        assert number({"$ne": ["category", "lamps"]}) == 3
        assert number({"$gt": ["sold_at", "2024-05-16T00:00:00Z"]}) == 2
        assert number({"$lt": ["cost", 12.5]}) == 2
        assert number({"$gte": ["cost", {"$multiply": ["cost", 1]}]}) == 4
        assert number({"$gt": [{"$multiply": ["cost", 2]}, 24]}) == 2
        assert number({"$and": [{"$gt": ["stock", 0]}, {"$not": {"$eq": ["status", "done"]}}]}) == 2
        assert number({"$eq": ["status", {"$literal": "done"}]}) == 2

    @pytest.mark.parametrize(
        ("asked", "named"),
        [
            ({"group_by": ["categry"]}, "category"),
            ({"group_by": ["tags"]}, "tags"),
            ({"group_by": [{"$date_trunc": ["fortnight", "sold_at"]}]}, "fortnight"),
            ({"group_by": [{"$date_trunc": ["hour", "day"]}]}, "hour"),
            ({"group_by": [{"$date_trunc": ["day", "stock"]}]}, "no date"),
            ({"aggregate": {"x": {"$summ": "stock"}}}, r"\$sum"),
            ({"aggregate": {"x": {"$sum": "stok"}}}, "stock"),
            ({"aggregate": {"x": {"$sum": "category"}}}, "no number"),
            ({"aggregate": {"x; DROP": {"$sum": "stock"}}}, "named like a field"),
            ({"aggregate": {"x": {"$sum": {"$multply": ["stock", 2]}}}}, r"\$multiply"),
            ({"aggregate": {"x": {"$sum": {"$multiply": ["cost", "price"]}}}}, "Decimal"),
            ({"aggregate": {"x": {"$sum": {"$case": [1, 2]}}}}, "case"),
            ({"aggregate": {"x": {"$sum": {"$case": ["stock", 1, 0]}}}}, "no condition"),
            ({"aggregate": {"x": {"$sum": float("nan")}}}, "no number that"),
            ({"aggregate": {"category": {"$sum": "stock"}}, "group_by": "category"}, "two results"),
            ({"aggregate": {"x": {"$min": "tags"}}}, "list"),
            ({"sum": "category"}, "no number"),
            ({"grouped_by": "category"}, "group_by"),
        ],
    )
    def test_what_makes_no_sense_is_refused_by_name(self, shop: Face, asked: dict[str, Any], named: str) -> None:
        with pytest.raises(InvalidInputError, match=named):
            shop.do("products.aggregate", asked)

    def test_having_and_sort_know_the_results_alone(self, shop: Face) -> None:
        with pytest.raises(InvalidFilterError, match="sum_stock"):
            shop.do("products.aggregate", sum="stock", having={"sum_stok": {"$gt": 1}})
        with pytest.raises(InvalidSortError, match="sum_stock"):
            shop.do("products.aggregate", sum="stock", sort="-stock")

    def test_it_joins_a_transaction(self, shop: Face) -> None:
        with pytest.raises(ZeroDivisionError), shop.transaction():
            shop.express("update", "Product", 1, {"stock": 100})
            assert shop.express("aggregate", "Product", max="stock") == [{"max_stock": 100}]
            raise ZeroDivisionError


MONEY = st.none() | st.decimals(min_value=-(10**6), max_value=10**6, places=2)
RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "price": st.integers(-1000, 1000).map(lambda number: number / 4),
            "stock": st.integers(-(10**6), 10**6),
            "sold_at": st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2100, 1, 1), timezones=st.just(dt.UTC)),
            "category": st.none() | st.sampled_from(["a", "B", "é", "a b", "\U0001f600"]),
            "cost": MONEY,
        }
    ),
    max_size=12,
)


class LikePython:
    """The same answers as a few lines of Python."""

    @pytest.fixture
    def db(self, url: str) -> Iterator[DataFlow]:
        with shop_at(url) as db:
            db.prepare()
            yield db

    @given(rows=RECORDS, by=st.sampled_from(["category", "sold_at:month", ""]))
    def test_totals_are_those_of_python(self, db: DataFlow, rows: list[dict[str, Any]], by: str) -> None:
        db.express_sync.bulk_delete("Product", [row["id"] for row in db.express_sync.list("Product", limit=None)])
        db.express_sync.bulk_create("Product", rows)

        answer = db.express_sync.aggregate(
            "Product", group_by=by or None, aggregate={name: MEASURES[name][0] for name in MEASURES}
        )

        name = by.replace(":", "_")
        assert {row.get(name): {key: row[key] for key in MEASURES} for row in answer} == {
            key: {each: compute(group) for each, (_, compute) in MEASURES.items()}
            for key, group in _grouped(rows, by).items()
        }


def _grouped(rows: list[dict[str, Any]], by: str) -> dict[Any, list[dict[str, Any]]]:
    groups: defaultdict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        moment = row["sold_at"].replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        groups[row["category"] if by == "category" else moment if by else None].append(row)
    if not by:
        groups.setdefault(None, [])
    return groups


def _values(group: list[dict[str, Any]], field: str) -> list[Any]:
    return [row[field] for row in group if row[field] is not None]


def _average(numbers: list[Decimal]) -> Decimal | None:
    if not numbers:
        return None
    return (sum(numbers, Decimal(0)) / len(numbers)).quantize(Decimal(1).scaleb(-16), ROUND_HALF_UP)


def _worth(group: list[dict[str, Any]]) -> Decimal:
    return sum((row["cost"] * row["stock"] for row in group if row["cost"] is not None), Decimal(0))


MEASURES: dict[str, tuple[Any, Callable[[list[dict[str, Any]]], Any]]] = {
    "records": ({"$count": "*"}, len),
    "costs": ({"$count": "cost"}, lambda group: len(_values(group, "cost"))),
    "different": ({"$count_distinct": "cost"}, lambda group: len(set(_values(group, "cost")))),
    "stock": ({"$sum": "stock"}, lambda group: sum(_values(group, "stock"))),
    "prices": ({"$sum": "price"}, lambda group: sum(_values(group, "price"), 0.0)),
    "cost": ({"$sum": "cost"}, lambda group: sum(_values(group, "cost"), Decimal(0))),
    "mean": ({"$avg": "cost"}, lambda group: _average(_values(group, "cost"))),
    "least": ({"$min": "cost"}, lambda group: min(_values(group, "cost"), default=None)),
    "last": ({"$max": "category"}, lambda group: max(_values(group, "category"), default=None)),
    "worth": ({"$sum": {"$multiply": ["cost", "stock"]}}, _worth),
    "low": (
        {"$sum": {"$case": [{"$lt": ["stock", 10]}, 1, {"$gt": ["cost", 5]}, {"$literal": 2}, 0]}},
        lambda group: sum(
            1 if row["stock"] < 10 else 2 if row["cost"] is not None and row["cost"] > 5 else 0 for row in group
        ),
    ),
}
