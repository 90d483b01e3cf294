"""What is found in databases that were there first, on any database."""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import pytest

from dataflow import DataFlow, ForeignKey
from dataflow.errors import SchemaMismatchError
from dataflow.schema.classes import classes_of
from kailash.errors import ConfigurationError


class Found:
    """A schema that nobody made for us."""

    TABLES: tuple[str, ...] = ()
    LEFT_OUT: dict[str, str] = {}
    ENDS: tuple[str, ...] = ()  # what the source must have

    @pytest.fixture
    def db(self, url: str) -> Iterator[DataFlow]:
        db = DataFlow(url, existing_schema_mode=True)
        with db.connection() as connection:
            for statement in self.TABLES:
                connection.ask(statement)
        yield db
        db.close()

    @pytest.fixture
    def written(
        self, db: DataFlow, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, imports_are_forgotten: None
    ) -> ModuleType:
        """What was found, written to a file and imported from there."""
        monkeypatch.setenv("DATABASE_URL", url)
        path = tmp_path / "found_models.py"
        path.write_text(db.schema.source(name=db.name))
        spec = importlib.util.spec_from_file_location("found_models", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["found_models"] = module
        spec.loader.exec_module(module)
        return module

    def test_discover_write_import_and_nothing_differs(self, written: ModuleType) -> None:
        found: DataFlow = written.db
        with found:
            plan = found.schema.plan()

            assert ([*plan.changes], [*plan.impossible], found.schema.differences()) == ([], [], [])
            assert found.list_models() == ["Customer", "OrderDetail"]

    def test_nothing_differs_from_what_is_registered_at_once(self, db: DataFlow) -> None:
        assert db.register_schema_as_models() == ["Customer", "OrderDetail"]
        assert [*db.schema.plan().changes] == []
        db.schema.check()

    def test_tables_that_no_model_can_stand_for_are_told_with_the_reason(self, db: DataFlow) -> None:
        assert dict(classes_of(db.discover_schema()).left_out) == self.LEFT_OUT

    def test_the_source_reads_as_an_author_writes(self, db: DataFlow) -> None:
        source = db.schema.source(name="shop")

        for line in self.ENDS:
            assert line in source

    def test_the_models_work(self, written: ModuleType) -> None:
        with written.db as db:
            express = db.express_sync
            ann = express.create("Customer", {"full_name": "Ann"})
            express.create("OrderDetail", {"id": "a", "customer_id": ann["id"]})
            (order,) = express.list("OrderDetail", include="customer")

            assert ann["rank"] == 3 and order["customer"] == ann
            assert express.read("Customer", ann["id"], include="order_details")["order_details"][0]["id"] == "a"

    def test_what_is_there_is_told_in_plain_values_and_drawn(self, db: DataFlow) -> None:
        found = db.discover_schema(["Customers", "Order Details"])

        assert [*found.tables] == ["Customers", "Order Details"]
        assert [(table, key.table) for table, key in found.relations] == [("Order Details", "Customers")]
        assert found.to_dict()["tables"]["Customers"]["primary_key"] == ["CustomerID"]
        assert 'Customers ||--o{ "Order Details" : "CustomerID"' in found.to_mermaid()

    async def test_discovery_has_an_asyncio_face(self, db: DataFlow) -> None:
        assert await db.discover_schema_async() == db.discover_schema()

    def test_existing_schema_mode_emits_no_ddl(self, db: DataFlow) -> None:
        before = db.discover_schema()

        @db.model
        class Visitor:
            name: str

        db.prepare()
        with pytest.raises(ConfigurationError, match="existing_schema_mode"):
            db.schema.migrate()

        assert db.discover_schema() == before

    def test_existing_schema_mode_says_where_model_and_table_differ(
        self, db: DataFlow, caplog: pytest.LogCaptureFixture
    ) -> None:
        @db.model
        class Customer:
            __tablename__ = "Customers"
            rank: str

        with caplog.at_level(logging.WARNING, "dataflow.schema"):
            db.prepare()
        with pytest.raises(SchemaMismatchError, match="the primary key is CustomerID, not id"):
            db.schema.check()

        assert any("differs from its model: Customers: column id is missing" in each.message for each in caplog.records)

    def test_our_own_tables_come_back_as_they_were_declared(self, url: str, db: DataFlow) -> None:
        own = DataFlow(url)

        @own.model
        class Author:
            name: str
            age: int = 5

            __indexes__ = [{"fields": ["name"], "unique": True}]

        @own.model
        class Book:
            author_id: Annotated[int, ForeignKey("Author.id", on_delete="cascade")]
            title: str | None = None
            ready: bool = False

        with own:
            own.prepare()
            source = own.schema.source(["authors", "books"])
            db.schema.register(db.model, ["authors", "books"])
            plan = db.schema.plan()

        assert [*plan.changes] == []
        assert (
            """@db.model
class Author:
    __indexes__ = [
        {"fields": ["name"], "unique": True},
    ]

    name: str
    age: int = 5


@db.model
class Book:

    author_id: Annotated[int, ForeignKey("Author.id", on_delete="cascade")]
    title: str | None = None
    ready: bool = False
"""
            in source
        )


class Verified:
    """Models whose database is not in order."""

    @pytest.fixture
    def db(self, url: str) -> Iterator[DataFlow]:
        with DataFlow(url) as db:

            @db.model
            class Customer:
                name: str

            @db.model
            class Order:
                customer_id: int

            yield db

    def told(self, db: DataFlow, **given: Any) -> list[tuple[str, bool, str]]:
        return [(each.what, each.serious, each.sentence) for each in db.schema.verify(**given)]

    def test_orphans_are_counted_and_named(self, db: DataFlow) -> None:
        express = db.express_sync
        ann = express.create("Customer", {"name": "Ann"})
        express.bulk_create("Order", [{"customer_id": id} for id in (ann["id"], 98, 99)])

        (orphans, index) = db.schema.verify(samples=1)

        assert (orphans.what, orphans.count, orphans.ids) == ("orphans", 2, (2,))
        assert orphans.sentence == "2 of Order have a customer_id that is no id of Customer"
        assert (index.what, index.serious) == ("no index", False)

    def test_a_missing_index_says_what_to_write(self, db: DataFlow) -> None:
        db.prepare()

        ((what, serious, sentence),) = self.told(db)

        assert (what, serious) == ("no index", False)
        assert sentence.endswith('by which Customer is joined: {"fields": ["customer_id"]} in __indexes__ makes one')

    def test_a_circle_that_no_record_can_enter_is_serious(self, url: str) -> None:
        with DataFlow(url) as db:

            @db.model
            class Left:
                right_id: Annotated[int, ForeignKey("Right.id", on_delete="cascade")]
                __indexes__ = [{"fields": ["right_id"]}]

            @db.model
            class Right:
                left_id: Annotated[int, ForeignKey("Left.id", on_delete="cascade")]
                __indexes__ = [{"fields": ["left_id"]}]

            db.prepare()
            way = "Left.right_id -> Right.left_id -> Left"

            assert self.told(db) == [
                (
                    "circle",
                    True,
                    f"no record can be the first of {way}: each needs another; let one of the fields be null",
                ),
                ("circle", False, f"deleting one record of {way} deletes on and on: every one of them cascades"),
            ]

    def test_a_table_that_is_missing_is_a_difference(self, db: DataFlow) -> None:
        assert ("difference", True, "table customers is missing") in self.told(db)
