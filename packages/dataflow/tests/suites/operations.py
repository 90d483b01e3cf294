"""What the eleven operations do, in every spelling; on any database, through either face."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from msgspec import Meta

from dataflow import DataFlow
from dataflow.errors import DuplicateError, InvalidPageError, InvalidSortError, RecordNotFoundError, UnconfirmedError
from kailash.errors import InvalidFilterError, InvalidInputError
from suites.faces import Face, Facing

LAMP = {"sku": "L-1", "name": "Lamp", "price": 20.0}


class Shelf:
    """Fixtures: an empty table of products."""

    @pytest.fixture
    def shop(self, url: str, faced: Facing) -> Face:
        db = DataFlow(url)

        @db.model
        class Product:
            sku: str
            name: str
            price: float
            stock: int = 0
            active: bool = True
            note: str | None = None
            tags: list[str] = []

            __indexes__ = [{"fields": ["sku"], "unique": True}]

        return faced(db)

    @pytest.fixture
    def stocked(self, shop: Face) -> Face:
        """Six products: A-1 at 1.0 to A-6 at 6.0."""
        rows = [{"sku": f"A-{n}", "name": f"Thing {n}", "price": float(n), "stock": n * 10} for n in range(1, 7)]
        shop.do("products.bulk_create", data=rows)
        return shop


class CreateAndRead(Shelf):
    def test_create_returns_the_stored_record_with_its_id_and_defaults(self, shop: Face) -> None:
        record = shop.do("products.create", LAMP)

        assert isinstance(record["id"], int)
        assert record["stock"] == 0 and record["active"] is True and record["note"] is None and record["tags"] == []
        assert record["created_at"] == record["updated_at"]
        assert record == {k: v for k, v in shop.do("products.read", id=record["id"]).items() if k != "found"}

    def test_types_come_back_as_declared(self, shop: Face) -> None:
        record = shop.do("products.create", {**LAMP, "price": 20, "tags": ["a", "b"]})

        assert type(record["price"]) is float and type(record["active"]) is bool and record["tags"] == ["a", "b"]

    @pytest.mark.parametrize("spelling", [{"id": 1}, {"record_id": 1}, {"filter": {"sku": "L-1"}}])
    def test_every_spelling_of_read_finds_the_record(self, shop: Face, spelling: dict[str, Any]) -> None:
        shop.do("products.create", LAMP)

        found = shop.do("products.read", spelling)

        assert found["found"] is True and found["name"] == "Lamp"

    def test_an_absent_record_is_an_error_unless_asked_otherwise(self, shop: Face) -> None:
        with pytest.raises(RecordNotFoundError):
            shop.do("products.read", id=99)

        assert shop.do("products.read", id=99, raise_on_not_found=False) == {"id": 99, "found": False}
        assert shop.express("read", "Product", 99) is None

    def test_only_the_fields_asked_for_come_back(self, shop: Face) -> None:
        shop.do("products.create", LAMP)

        assert shop.do("products.read", id=1, fields=["sku", "price"]) == {"sku": "L-1", "price": 20.0, "found": True}

    def test_a_duplicate_is_refused_and_nothing_is_written(self, shop: Face) -> None:
        shop.do("products.create", LAMP)

        with pytest.raises(DuplicateError, match="sku"):
            shop.do("products.create", LAMP)

        assert shop.do("products.count") == {"count": 1}

    def test_what_the_filter_says_is_null_is_in_the_record_as_any_field(self, shop: Face) -> None:
        record = shop.do("products.create", LAMP)
        asked = {"filter": {"note": None}, "sort": ["note", "name"], "limit": 1}

        assert [*shop.do("products.list", asked)["records"][0].items()] == [*record.items()]
        assert shop.do("products.list", asked, fields=["note"])["records"] == [{"note": None}]
        assert shop.do("products.read", filter={"note": None}, fields=["note"]) == {"note": None, "found": True}

    @pytest.mark.parametrize("managed", ["created_at", "updated_at"])
    def test_what_the_database_keeps_cannot_be_set(self, shop: Face, managed: str) -> None:
        with pytest.raises(InvalidInputError, match=managed):
            shop.do("products.create", {**LAMP, managed: "2020-01-01T00:00:00Z"})

    def test_every_bad_field_is_named_at_once(self, shop: Face) -> None:
        with pytest.raises(InvalidInputError) as refused:
            shop.do("products.create", {"name": 5, "prise": 1.0})

        assert {(each.field, each.code) for each in refused.value.problems} == {
            ("name", "wrong_type"), ("prise", "unknown_field"), ("sku", "missing"), ("price", "missing")
        }  # fmt: skip

    @pytest.mark.parametrize(
        "text",
        [
            "'; DROP TABLE products; --",
            "$txn.id",
            "{{name}}",
            "${name}",
            "100% _x_ \\",
            "Robert\u2019); \U0001f600",
            " ",
        ],
    )
    def test_text_comes_back_as_it_was_given(self, shop: Face, text: str) -> None:
        record = shop.do("products.create", {**LAMP, "name": text, "note": text})

        assert shop.express("read", "Product", record["id"])["name"] == text
        assert shop.do("products.list", filter={"name": text})["count"] == 1


class UpdateAndDelete(Shelf):
    @pytest.mark.parametrize(
        "spelling",
        [
            {"id": 2, "price": 9.5},
            {"record_id": 2, "price": 9.5},
            {"id": 2, "fields": {"price": 9.5}},
            {"filter": {"id": 2}, "fields": {"price": 9.5}},
            {"conditions": {"id": 2}, "updates": {"price": {"$set": 9.5}}},
        ],
    )
    def test_every_spelling_changes_the_record(self, stocked: Face, spelling: dict[str, Any]) -> None:
        result = stocked.do("products.update", spelling)

        assert (result["id"], result["price"], result["stock"]) == (2, 9.5, 20)
        assert result["updated"] is True and result["rows_affected"] == 1
        assert result["updated_at"] > result["created_at"]

    @pytest.mark.parametrize(("change", "expected"), [({"$inc": 3}, 23), ({"$dec": 5}, 15), ({"$mul": 2}, 40)])
    def test_operators_work_on_the_stored_number(self, stocked: Face, change: dict[str, int], expected: int) -> None:
        result = stocked.do("products.update", id=2, stock=change)

        assert result["stock"] == expected and type(result["stock"]) is int

    def test_a_change_of_many_says_how_many(self, stocked: Face) -> None:
        result = stocked.do("products.update", filter={"price__gt": 4}, fields={"active": False})

        assert result["rows_affected"] == 2

    def test_a_change_without_a_target_is_refused(self, stocked: Face) -> None:
        for spelling in ({"price": 1.0}, {"filter": {}, "fields": {"price": 1.0}}):
            with pytest.raises(InvalidInputError):
                stocked.do("products.update", spelling)

        assert stocked.do("products.count", filter={"price": 1.0}) == {"count": 1}

    def test_an_absent_record_is_an_error(self, stocked: Face) -> None:
        with pytest.raises(RecordNotFoundError):
            stocked.do("products.update", id=99, price=1.0)
        with pytest.raises(RecordNotFoundError):
            stocked.do("products.delete", id=99)

        assert stocked.express("delete", "Product", 99) is False

    @pytest.mark.parametrize("spelling", [{"id": 2}, {"record_id": 2}])
    def test_delete_removes_one(self, stocked: Face, spelling: dict[str, Any]) -> None:
        assert stocked.do("products.delete", spelling) == {"id": 2, "deleted": True}
        assert stocked.do("products.count") == {"count": 5}

    def test_delete_by_filter_removes_all_that_match(self, stocked: Face) -> None:
        assert stocked.do("products.delete", filter={"price__lte": 2})["rows_affected"] == 2
        assert stocked.do("products.count") == {"count": 4}


class ListAndCount(Shelf):
    def test_a_list_says_what_it_is(self, stocked: Face) -> None:
        page = stocked.do("products.list", limit=2, sort="-price", count=True)

        assert [record["sku"] for record in page["records"]] == ["A-6", "A-5"]
        assert (page["count"], page["limit"], page["offset"], page["total"]) == (2, 2, 0, 6)

    def test_a_cursor_visits_every_record_once(self, stocked: Face) -> None:
        seen, cursor = [], None
        while True:
            page = stocked.do("products.list", {"limit": 4, "sort": "-stock", **({"cursor": cursor} if cursor else {})})
            seen += [record["sku"] for record in page["records"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break

        assert seen == ["A-6", "A-5", "A-4", "A-3", "A-2", "A-1"]

    def test_a_last_page_that_is_full_has_no_next(self, stocked: Face) -> None:
        assert stocked.do("products.list", limit=6)["next_cursor"] is None
        assert stocked.do("products.list", limit=5)["next_cursor"] is not None

    def test_fields_and_a_cursor_go_together(self, stocked: Face) -> None:
        first = stocked.do("products.list", limit=1, sort="-price", fields=["sku"])
        second = stocked.do("products.list", limit=1, sort="-price", fields=["sku"], cursor=first["next_cursor"])

        assert first["records"] == [{"sku": "A-6"}] and second["records"] == [{"sku": "A-5"}]

    @pytest.mark.parametrize("order", ["-price", ["-price"], {"price": -1}, [("price", "desc")]])
    def test_every_spelling_of_an_order(self, stocked: Face, order: Any) -> None:
        records = stocked.express("list", "Product", {"stock__gte": 50}, order_by=order)

        assert [record["sku"] for record in records] == ["A-6", "A-5"]

    def test_a_limit_of_none_is_everything_and_of_zero_nothing(self, stocked: Face) -> None:
        assert len(stocked.express("list", "Product", limit=None)) == 6
        assert stocked.do("products.list", limit=0)["records"] == []

    @pytest.mark.parametrize(
        ("asked", "error"),
        [
            ({"filter": {"prise": 1}}, InvalidFilterError),
            ({"filter": {"price": {"$near": 1}}}, InvalidFilterError),
            ({"filter": {"price__gte": "dear"}}, InvalidFilterError),
            ({"sort": "prise"}, InvalidSortError),
            ({"limit": -1}, InvalidPageError),
            ({"limit": True}, InvalidPageError),
            ({"cursor": "nonsense"}, InvalidPageError),
            ({"fields": ["prise"]}, InvalidInputError),
            ({"limt": 3}, InvalidInputError),
        ],
    )
    def test_nothing_is_ignored_in_silence(self, stocked: Face, asked: dict[str, Any], error: type[Exception]) -> None:
        with pytest.raises(error):
            stocked.do("products.list", asked)

    def test_count_counts_what_list_lists(self, stocked: Face) -> None:
        where = {"$or": [{"price": {"$lt": 2}}, {"stock": {"$in": [50, 60]}}]}

        assert stocked.do("products.count", filter=where) == {"count": 3}
        assert stocked.express("count", "Product", where) == 3


class Upserts(Shelf):
    @pytest.mark.parametrize(
        "spelling",
        [
            {"conflict_on": ["sku"], "sku": "L-1", "name": "Lamp", "price": 20.0},
            {"where": {"sku": "L-1"}, "create": {"name": "Lamp", "price": 20.0}, "update": {"price": 20.0}},
            {"conflict_on": ["sku"], "create": LAMP, "update": {"price": 20.0}},
            LAMP,
        ],
    )
    def test_every_spelling_creates_and_then_changes(self, shop: Face, spelling: dict[str, Any]) -> None:
        first = shop.do("products.upsert", spelling)
        second = shop.do("products.upsert", spelling)

        assert (first["created"], first["action"]) == (True, "created")
        assert (second["created"], second["action"]) == (False, "updated")
        assert second["record"]["id"] == first["record"]["id"]
        assert shop.do("products.count") == {"count": 1}

    def test_what_is_not_given_stays_as_it_is(self, shop: Face) -> None:
        shop.do("products.create", {**LAMP, "stock": 7})

        record = shop.express("upsert", "Product", {"sku": "L-1", "name": "New", "price": 1.0}, ["sku"])

        assert (record["name"], record["stock"]) == ("New", 7)

    def test_an_upsert_may_count(self, shop: Face) -> None:
        for expected in (1, 2, 3):
            record = shop.express(
                "upsert_advanced", "Product", {"sku": "L-1"}, {**LAMP, "stock": 1}, {"stock": {"$inc": 1}}
            )

            assert record["stock"] == expected

    def test_a_match_that_is_not_unique_is_refused_with_what_to_write(self, shop: Face) -> None:
        with pytest.raises(InvalidInputError, match="__indexes__"):
            shop.do("products.upsert", {**LAMP, "conflict_on": ["name"]})


class Bulks(Shelf):
    def test_bulk_create_stores_all_and_counts(self, shop: Face) -> None:
        result = shop.do("products.bulk_create", data=[{"sku": f"B-{n}", "name": "b", "price": n} for n in range(1200)])

        assert (result["inserted"], result["processed"], result["failed"], result["success"]) == (1200, 1200, 0, True)
        assert shop.do("products.count") == {"count": 1200}

    def test_bulk_create_returns_ids_in_order(self, shop: Face) -> None:
        rows = [{"sku": f"B-{n}", "name": f"n{n}", "price": 1.0} for n in range(5)]

        result = shop.do("products.bulk_create", records=rows, returning=True)
        stored = shop.express("bulk_create", "Product", [{**row, "sku": f"C{row['sku']}"} for row in rows])

        assert [shop.express("read", "Product", id)["name"] for id in result["ids"]] == [row["name"] for row in rows]
        assert [shop.express("read", "Product", record["id"]) for record in stored] == stored

    def test_create_works_after_a_bulk_create(self, shop: Face) -> None:
        shop.express("bulk_create", "Product", [LAMP])

        assert shop.express("create", "Product", {**LAMP, "sku": "L-2"})["id"] > 1

    def test_an_id_of_the_callers_own_is_not_made_again(self, shop: Face) -> None:
        shop.do("products.create", {**LAMP, "id": 5})
        shop.do("products.bulk_create", data=[{**LAMP, "sku": "L-8", "id": 8}, {**LAMP, "sku": "L-7", "id": 7}])

        assert shop.express("create", "Product", {**LAMP, "sku": "L-9"})["id"] == 9

    def test_one_bad_row_refuses_the_whole_and_is_named(self, shop: Face) -> None:
        with pytest.raises(InvalidInputError) as refused:
            shop.do("products.bulk_create", data=[LAMP, {"sku": "L-2", "name": "x", "price": "dear"}])

        assert refused.value.problems[0].field == "data.1.price"
        assert shop.do("products.count") == {"count": 0}

    def test_a_duplicate_refuses_the_whole(self, shop: Face) -> None:
        shop.do("products.create", LAMP)

        with pytest.raises(DuplicateError):
            shop.do("products.bulk_create", data=[{**LAMP, "sku": "L-9"}, LAMP])

        assert shop.do("products.count") == {"count": 1}

    @pytest.mark.parametrize("returning", [False, True])
    def test_conflicts_can_be_skipped(self, shop: Face, returning: bool) -> None:
        shop.do("products.create", LAMP)

        result = shop.do(
            "products.bulk_create", data=[{**LAMP, "sku": "L-9"}, LAMP], on_conflict="skip", returning=returning
        )

        assert (result["inserted"], result["skipped"], result["processed"]) == (1, 1, 2)
        assert not returning or len(result["ids"]) == 1

    def test_what_can_be_stored_is_where_that_was_asked_for(self, shop: Face) -> None:
        rows = [LAMP, LAMP, {"sku": "L-3"}, {**LAMP, "sku": "L-4"}]

        result = shop.do("products.bulk_create", data=rows, atomic=False)

        assert (result["inserted"], result["failed"], result["success"]) == (2, 2, False)
        assert [(each["index"], each["code"]) for each in result["errors"]] == [(1, "duplicate"), (2, "invalid_input")]

    def test_rows_may_give_different_fields(self, shop: Face) -> None:
        shop.do("products.bulk_create", data=[LAMP, {**LAMP, "sku": "L-2", "stock": 4, "note": "x"}])

        assert [r["stock"] for r in shop.express("list", "Product", order_by="sku")] == [0, 4]

    @pytest.mark.parametrize("word", ["update", "fields"])
    def test_bulk_update_by_filter(self, stocked: Face, word: str) -> None:
        result = stocked.do("products.bulk_update", {"filter": {"price__gte": 4}, word: {"stock": {"$inc": 1}}})

        assert result == {"updated": 3, "processed": 3, "success": True}
        assert stocked.express("read", "Product", 6)["stock"] == 61

    def test_bulk_update_by_rows_changes_what_each_gives(self, stocked: Face) -> None:
        rows = [{"id": 1, "price": 9.0}, {"id": 2, "stock": 5, "note": "n"}, {"id": 99, "price": 1.0}]

        result = stocked.do("products.bulk_update", data=rows)

        assert (result["updated"], result["processed"]) == (2, 3)
        first, second = stocked.express("read", "Product", 1), stocked.express("read", "Product", 2)
        assert (first["price"], first["stock"], second["price"], second["stock"]) == (9.0, 10, 2.0, 5)
        assert first["updated_at"] > first["created_at"]

    def test_bulk_delete_by_ids_and_by_filter(self, stocked: Face) -> None:
        assert stocked.do("products.bulk_delete", ids=[1, 2, 99])["deleted"] == 2
        assert stocked.do("products.bulk_delete", filter={"price": 6.0})["deleted"] == 1
        assert stocked.do("products.count") == {"count": 3}

    def test_an_empty_filter_needs_a_confirmation(self, stocked: Face) -> None:
        with pytest.raises(UnconfirmedError):
            stocked.do("products.bulk_delete", filter={})
        with pytest.raises(UnconfirmedError):
            stocked.do("products.bulk_update", filter={}, update={"stock": 0})

        assert stocked.do("products.bulk_update", filter={}, update={"stock": 0}, confirmed=True)["updated"] == 6
        assert stocked.do("products.bulk_delete", filter={}, confirmed=True)["deleted"] == 6

    @pytest.mark.parametrize("word", ["conflict_on", "unique_fields"])
    def test_bulk_upsert_tells_new_from_changed(self, stocked: Face, word: str) -> None:
        rows = [{"sku": "A-1", "name": "One", "price": 1.5}, {"sku": "N-1", "name": "New", "price": 2.5}]

        result = stocked.do("products.bulk_upsert", {"data": rows, word: ["sku"]})

        assert (result["inserted"], result["updated"], result["skipped"], result["upserted"]) == (1, 1, 0, 2)
        assert stocked.express("read", "Product", 1)["name"] == "One"
        assert stocked.express("read", "Product", 1)["stock"] == 10

    def test_a_key_twice_in_one_batch_ends_as_if_one_after_the_other(self, shop: Face) -> None:
        rows = [LAMP, {**LAMP, "price": 30.0}]

        result = shop.do("products.bulk_upsert", data=rows, conflict_on=["sku"])

        assert (result["inserted"], result["updated"], result["processed"]) == (1, 1, 2)
        assert shop.express("find_one", "Product", {"sku": "L-1"})["price"] == 30.0

    def test_bulk_upsert_can_skip_or_refuse(self, stocked: Face) -> None:
        rows = [{"sku": "A-1", "name": "One", "price": 1.5}, {"sku": "N-1", "name": "New", "price": 2.5}]

        skipped = stocked.do("products.bulk_upsert", data=rows, conflict_on=["sku"], conflict_resolution="skip")

        assert (skipped["inserted"], skipped["skipped"]) == (1, 1)
        assert stocked.express("read", "Product", 1)["name"] == "Thing 1"
        with pytest.raises(DuplicateError):
            stocked.do("products.bulk_upsert", data=rows, conflict_on=["sku"], conflict_resolution="error")

    def test_an_empty_bulk_does_nothing(self, stocked: Face) -> None:
        assert stocked.do("products.bulk_create", data=[])["inserted"] == 0
        assert stocked.do("products.bulk_upsert", data=[], conflict_on=["sku"])["upserted"] == 0
        assert stocked.do("products.bulk_update", data=[])["updated"] == 0
        assert stocked.do("products.bulk_delete", ids=[])["deleted"] == 0


class Limits:
    """Limits of fields hold for what the database computes, too."""

    @pytest.fixture
    def shop(self, url: str, faced: Facing) -> Face:
        db = DataFlow(url)

        @db.model
        class Product:
            sku: str
            stock: Annotated[int, Meta(ge=0)] = 0

            __indexes__ = [{"fields": ["sku"], "unique": True}]

        face = faced(db)
        face.express("bulk_create", "Product", [{"sku": "A", "stock": 1}, {"sku": "B", "stock": 5}])
        return face

    @pytest.mark.parametrize(
        ("what", "asked"),
        [
            ("update", {"id": 1, "stock": {"$dec": 2}}),
            ("update", {"filter": {"stock__lt": 9}, "fields": {"stock": {"$dec": 2}}}),
            ("bulk_update", {"filter": {"stock__lt": 9}, "update": {"stock": {"$dec": 2}}}),
            ("upsert", {"where": {"sku": "A"}, "create": {}, "update": {"stock": {"$dec": 2}}}),
        ],
    )
    def test_nothing_is_taken_that_is_not_there(self, shop: Face, what: str, asked: dict[str, Any]) -> None:
        with pytest.raises(InvalidInputError, match="stock"):
            shop.do(f"products.{what}", asked)

        assert [row["stock"] for row in shop.express("list", "Product")] == [1, 5]

    def test_what_is_there_can_be_taken(self, shop: Face) -> None:
        shop.do("products.update", id=1, stock={"$dec": 1})
        shop.do("products.bulk_update", filter={"stock__gt": 0}, update={"stock": {"$dec": 5}})
        shop.do("products.upsert", where={"sku": "A"}, create={}, update={"stock": {"$inc": 1}})

        assert [row["stock"] for row in shop.express("list", "Product")] == [1, 0]

    def test_a_refused_one_leaves_the_transaction_in_order(self, shop: Face) -> None:
        with shop.transaction():
            shop.express("update", "Product", 2, {"stock": {"$dec": 1}})
            with pytest.raises(InvalidInputError):
                shop.express("update", "Product", 1, {"stock": {"$dec": 2}})
            shop.express("update", "Product", 2, {"stock": {"$dec": 1}})

        assert [row["stock"] for row in shop.express("list", "Product")] == [1, 3]
