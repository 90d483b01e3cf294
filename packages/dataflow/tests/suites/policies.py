"""Tenancy, soft deletion and versions, on any database, through either face."""

from __future__ import annotations

import asyncio
import threading
from typing import Annotated, Any

import pytest
from hypothesis.stateful import run_state_machine_as_test

from dataflow import DataFlow
from dataflow.errors import (
    DuplicateError,
    ForeignKeyError,
    InvalidTenantError,
    ModelError,
    RecordNotFoundError,
    TenantRequiredError,
    VersionConflictError,
)
from dataflow.model.spec import Column, ForeignKey
from kailash import LocalRuntime, WorkflowBuilder
from kailash.context import Context
from kailash.errors import ConfigurationError, InvalidInputError
from suites.faces import Face, Facing
from suites.tenants import items, machine


class EveryOperation:
    """The proof: `suites.tenants`."""

    @pytest.mark.parametrize(
        "policies",
        [(), ("soft",), ("soft", "versioned"), ("soft", "versioned", "cached")],
        ids=["tenants", "soft", "versions", "all"],
    )
    @pytest.mark.timeout(300)
    def test_every_operation_is_confined_to_its_tenant(
        self, url: str, blocking: bool, policies: tuple[str, ...]
    ) -> None:
        """Lessons 2, 3 and 10: kept answers are of one tenant too."""
        on = {policy: policy in policies for policy in ("soft", "versioned")}
        face = items(url, blocking=blocking, **on, cache_enabled="cached" in policies)
        try:
            run_state_machine_as_test(machine(face, **on))
        finally:
            face.close()


class Shop:
    """Fixtures: a shop of many tenants, whose customers are never really gone and whose products have versions."""

    @pytest.fixture
    def shop(self, url: str, faced: Facing) -> Face:
        db = DataFlow(url, multi_tenant=True)

        @db.model
        class Customer:
            email: str
            name: str = ""

            __dataflow__ = {"soft_delete": True}
            __indexes__ = [{"fields": ["email"], "unique": True}]

        @db.model
        class Product:
            sku: str
            stock: int = 0

            __dataflow__ = {"versioned": True}

        @db.model
        class Order:
            customer_id: Annotated[int, ForeignKey("Customer.id", on_delete="cascade")]
            product_id: Annotated[int | None, ForeignKey("Product.id", on_delete="set null")] = None

        @db.model
        class Country:
            name: str

            __dataflow__ = {"multi_tenant": False}

        return faced(db)

    @staticmethod
    def ask(shop: Face, tenant: str | None, what: str, **given: Any) -> Any:
        return shop.within(Context(tenant=tenant), what, given)


class Tenancy(Shop):
    def test_a_multi_tenant_flag_isolates_the_direct_faces_too(self, shop: Face) -> None:
        """Lesson 1."""
        record = self.ask(shop, "acme", "products.create", sku='"quoted" FROM products')
        db = shop.db

        with db.tenant("globex"):
            assert db.express_sync.read("Product", record["id"]) is None
            assert db.express_sync.list("Product") == []
            assert db.express_sync.count("Product") == 0
            assert db.express_sync.find_one("Product", {"sku": record["sku"]}) is None
            with pytest.raises(RecordNotFoundError):
                db.express_sync.update("Product", record["id"], {"stock": 5})
        with db.tenant("acme"):
            assert db.express_sync.read("Product", record["id"]) == record

    def test_an_upsert_on_an_id_steals_nothing(self, shop: Face) -> None:
        """Lesson 2: neither one nor many."""
        theirs = self.ask(shop, "acme", "products.create", sku="a", stock=1)
        values = {"id": theirs["id"], "sku": "stolen"}

        with pytest.raises(DuplicateError):
            self.ask(shop, "globex", "products.upsert", **values, conflict_on=["id"])
        with pytest.raises(DuplicateError):
            self.ask(shop, "globex", "products.bulk_upsert", data=[values], conflict_on=["id"])
        skipped = self.ask(
            shop, "globex", "products.bulk_upsert", data=[values], conflict_on=["id"], conflict_resolution="skip"
        )

        assert skipped["skipped"] == 1
        assert self.ask(shop, "acme", "products.read", id=theirs["id"])["sku"] == "a"

    def test_a_unique_index_is_of_one_tenant(self, shop: Face) -> None:
        for tenant in ("acme", "globex"):
            self.ask(shop, tenant, "customers.create", email="ann@x.org")

        with pytest.raises(DuplicateError, match="email"):
            self.ask(shop, "acme", "customers.create", email="ann@x.org")

    @pytest.mark.parametrize(
        ("what", "given"),
        [
            ("create", {"sku": "a", "tenant_id": "globex"}),
            ("upsert", {"sku": "a", "tenant_id": "globex", "conflict_on": ["id"], "id": 1}),
            ("bulk_create", {"data": [{"sku": "a", "tenant_id": "globex"}]}),
            ("bulk_upsert", {"data": [{"id": 1, "sku": "a", "tenant_id": "globex"}]}),
            ("update", {"id": 1, "tenant_id": "globex"}),
            ("bulk_update", {"filter": {"sku": "a"}, "update": {"tenant_id": "globex"}}),
            ("bulk_update", {"data": [{"id": 1, "tenant_id": "globex"}]}),
        ],
    )
    def test_nobody_sets_the_tenant_of_a_record(self, shop: Face, what: str, given: dict[str, Any]) -> None:
        with pytest.raises(InvalidInputError, match="tenant_id"):
            self.ask(shop, "acme", f"products.{what}", **given)

    @pytest.mark.parametrize("name", ["", "a\0b", "x" * 10_000, "\ud800"])
    def test_a_name_that_no_tenant_can_have_is_refused(self, shop: Face, name: str) -> None:
        for what, given in (("list", {}), ("create", {"sku": "a"})):
            with pytest.raises(InvalidTenantError):
                self.ask(shop, name, f"products.{what}", **given)
        with pytest.raises(InvalidTenantError):
            shop.db.tenant(name)
        with pytest.raises(InvalidTenantError):
            shop.db.set_tenant(name)

    def test_a_tenant_may_have_any_other_name(self, shop: Face) -> None:
        for tenant in ("o'hara", '"; DROP TABLE products; --', "日本", "$1", "%"):
            self.ask(shop, tenant, "products.create", sku=tenant)

            assert [each["sku"] for each in self.ask(shop, tenant, "products.list")["records"]] == [tenant]

    def test_a_foreign_key_points_to_no_other_tenant(self, shop: Face) -> None:
        customer = self.ask(shop, "acme", "customers.create", email="ann@x.org")
        product = self.ask(shop, "acme", "products.create", sku="a")
        mine = self.ask(shop, "globex", "customers.create", email="bob@x.org")
        order = self.ask(shop, "acme", "orders.create", customer_id=customer["id"], product_id=product["id"])

        with pytest.raises(ForeignKeyError):
            self.ask(shop, "globex", "orders.create", customer_id=customer["id"])
        with pytest.raises(ForeignKeyError):
            self.ask(shop, "globex", "orders.create", customer_id=mine["id"], product_id=product["id"])
        with pytest.raises(ForeignKeyError):
            self.ask(shop, "acme", "orders.update", id=order["id"], customer_id=mine["id"])

        self.ask(shop, "acme", "products.delete", id=product["id"])
        assert self.ask(shop, "acme", "orders.read", id=order["id"])["product_id"] is None

    def test_a_model_of_no_tenant_is_everybodys(self, shop: Face) -> None:
        country = self.ask(shop, None, "countries.create", name="Peru")

        assert "tenant_id" not in country
        assert self.ask(shop, "acme", "countries.count") == {"count": 1}

    def test_a_shared_model_points_to_no_tenants_record(self, url: str) -> None:
        with DataFlow(url) as db:

            @db.model
            class Owner:
                name: str

                __dataflow__ = {"multi_tenant": True}

            @db.model
            class Thing:
                owner_id: Annotated[int, ForeignKey("Owner.id")]

            with pytest.raises(ModelError, match=r"owner_id.*Thing.*multi-tenant too"):
                db.prepare()

    def test_the_column_of_the_tenant_may_have_another_name(self, url: str) -> None:
        """Whatever tells of a write finds it: audit, feed and versions."""
        with DataFlow(url, multi_tenant=True, audit_logging=True) as db:

            @db.model
            class Note:
                tenant_id: Annotated[str, Column("org")]
                title: str

                __dataflow__ = {"versioned": True, "soft_delete": True}
                __indexes__ = [{"fields": ["title"], "unique": True}]

            for tenant in ("acme", "globex"):
                with db.tenant(tenant):
                    made = db.express_sync.create("Note", {"title": "a"})
                    db.express_sync.bulk_create("Note", [{"title": "b"}, {"title": "c"}])
                    db.express_sync.upsert("Note", {"id": made["id"], "title": "d"}, conflict_on=["id"])
                    db.express_sync.bulk_upsert("Note", [{"title": "b"}], conflict_on=["title"])
                    assert len(db.express_sync.history("Note", made["id"])) == 2
            with db.connection() as connection:
                stored = connection.ask("SELECT org, count(*) FROM notes GROUP BY org ORDER BY org")
            told = {(each.tenant, (each.after or {})["tenant_id"]) for each in db.audit.query()}

            assert [tuple(row) for row in stored] == [("acme", 3), ("globex", 3)]
            assert told == {("acme", "acme"), ("globex", "globex")}

    def test_all_tenants_need_a_reason_which_is_logged(self, shop: Face, caplog: pytest.LogCaptureFixture) -> None:
        for tenant in ("acme", "globex"):
            self.ask(shop, tenant, "products.create", sku="a")

        with shop.db.all_tenants(reason="count them for the invoice"):
            assert shop.db.express_sync.count("Product") == 2
            with pytest.raises(TenantRequiredError):
                shop.db.express_sync.create("Product", {"sku": "b"})

        assert "count them for the invoice" in caplog.text
        with pytest.raises(ConfigurationError):
            shop.db.all_tenants(reason=" ")

    def test_a_transaction_of_two_tenants_keeps_them_apart(self, shop: Face) -> None:
        with shop.transaction():
            record = self.ask(shop, "acme", "products.create", sku="a")
            assert self.ask(shop, "globex", "products.count") == {"count": 0}
            assert self.ask(shop, "acme", "products.read", id=record["id"])["found"]


class Whose(Shop):
    """How the tenant reaches an operation."""

    def test_blocks_nest_and_end(self, shop: Face) -> None:
        db = shop.db
        with db.tenant("acme"):
            with db.tenant_context.switch("globex"):
                assert db.tenant_context.current == "globex"
            assert db.tenant_context.current == "acme"
            db.set_tenant("initech")
            assert db.express_sync.create("Product", {"sku": "a"})["tenant_id"] == "initech"
            db.set_tenant(None)
            with pytest.raises(TenantRequiredError):
                db.express_sync.count("Product")
        assert db.tenant_context.current is None

    def test_a_given_context_comes_before_the_code_around(self, shop: Face) -> None:
        with shop.db.tenant("globex"):
            assert self.ask(shop, "acme", "products.create", sku="a")["tenant_id"] == "acme"

    def test_tasks_have_the_tenant_of_their_beginning(self, shop: Face) -> None:
        db = shop.db

        async def one(tenant: str) -> None:
            async with db.tenant(tenant):
                for _ in range(5):
                    made = await asyncio.gather(*[db.express.create("Product", {"sku": tenant}) for _ in range(3)])
                    assert {record["tenant_id"] for record in made} == {tenant}
            with pytest.raises(TenantRequiredError):
                await db.express.count("Product")

        async def all_of_them() -> list[int]:
            await asyncio.gather(*map(one, "abc"))
            counts = []
            for tenant in "abc":
                with db.tenant(tenant):
                    counts.append(await db.express.count("Product"))
            await db.close_async()
            return counts

        assert asyncio.run(all_of_them()) == [15, 15, 15]

    def test_a_thread_has_the_tenant_that_it_is_given_and_no_other(self, shop: Face) -> None:
        db, seen = shop.db, []

        def alone() -> None:
            try:
                db.express_sync.count("Product")
            except TenantRequiredError as error:
                seen.append(error)

        with db.tenant("acme"):
            thread = threading.Thread(target=alone)
            thread.start()
            thread.join()
            assert (
                asyncio.run(asyncio.to_thread(db.express_sync.create, "Product", {"sku": "a"}))["tenant_id"] == "acme"
            )

        assert len(seen) == 1

    def test_a_workflow_acts_for_the_tenant_of_its_run(self, shop: Face) -> None:
        db = shop.db

        def counted() -> dict[str, Any]:
            return {"found": db.express_sync.count("Product"), "tenant": db.tenant_context.current}

        builder = WorkflowBuilder()
        builder.add_node("ProductCreateNode", "made", {"sku": "a"})
        builder.add_node(counted, "counted")
        workflow = builder.build()
        runtime = LocalRuntime()

        with db.tenant("acme"):
            around, _ = runtime.execute(workflow)
            given, _ = runtime.execute(workflow, context=Context(tenant="globex"))
        with pytest.raises(Exception, match="multi-tenant"):
            runtime.execute(workflow)

        assert around["made"]["tenant_id"] == "acme"
        assert around["counted"] == {"found": 1, "tenant": "acme"}
        assert given["made"]["tenant_id"] == "globex"
        assert given["counted"] == {"found": 1, "tenant": "globex"}


class SoftDeletion(Shop):
    def test_soft_delete_is_honoured_by_everything(self, shop: Face) -> None:
        """Lesson 10; in random order by `EveryOperation`."""
        data = [{"email": name} for name in "abc"]
        ids = self.ask(shop, "t", "customers.bulk_create", data=data, returning=True)["ids"]
        self.ask(shop, "t", "customers.delete", id=ids[0])
        self.ask(shop, "t", "customers.bulk_delete", ids=ids[1:2])

        assert self.ask(shop, "t", "customers.count") == {"count": 1}
        assert self.ask(shop, "t", "customers.aggregate", count=True)["groups"] == [{"count": 1}]
        assert self.ask(shop, "t", "customers.count", include_deleted=True) == {"count": 3}
        assert self.ask(shop, "t", "customers.bulk_update", data=[{"id": ids[0], "name": "x"}])["updated"] == 0
        made = self.ask(shop, "t", "customers.upsert", email="a", name="new", conflict_on=["email"])
        assert made["created"] and made["record"]["id"] not in ids

    def test_the_counts_of_a_bulk_upsert_leave_deleted_records_out(self, shop: Face) -> None:
        record = self.ask(shop, "t", "customers.create", email="a")
        self.ask(shop, "t", "customers.delete", id=record["id"])

        done = self.ask(shop, "t", "customers.bulk_upsert", data=[{"email": "a"}], conflict_on=["email"])

        assert (done["inserted"], done["updated"]) == (1, 0)

    def test_a_deleted_record_comes_back_unless_its_place_is_taken(self, shop: Face) -> None:
        record = self.ask(shop, "t", "customers.create", email="a")
        self.ask(shop, "t", "customers.delete", id=record["id"])
        other = self.ask(shop, "t", "customers.create", email="a")

        with pytest.raises(DuplicateError, match="email"):
            self.ask(shop, "t", "customers.restore", id=record["id"])
        self.ask(shop, "t", "customers.delete", id=other["id"])
        back = self.ask(shop, "t", "customers.restore", id=record["id"])

        assert back["deleted_at"] is None
        assert [each["id"] for each in self.ask(shop, "t", "customers.list")["records"]] == [record["id"]]

    def test_only_what_is_deleted_is_purged(self, shop: Face) -> None:
        record = shop.within(Context(tenant="t"), "customers.create", {"email": "a"})
        with shop.db.tenant("t"):
            assert shop.db.express_sync.purge("Customer", record["id"]) is False
            shop.db.express_sync.delete("Customer", record["id"])
            marked = shop.db.express_sync.read("Customer", record["id"], include_deleted=True)
            assert marked is not None and marked["deleted_at"] >= record["created_at"]
            assert shop.db.express_sync.purge("Customer", record["id"]) is True
            assert shop.db.express_sync.list("Customer", include_deleted=True) == []

    @pytest.mark.parametrize("what", ["list", "count", "read", "aggregate"])
    def test_a_model_that_really_deletes_shows_no_deleted_records(self, shop: Face, what: str) -> None:
        given = {"id": 1} if what == "read" else {}

        with pytest.raises(InvalidInputError, match="include_deleted"):
            self.ask(shop, "t", f"products.{what}", **given, include_deleted=True)
        assert "products.restore" not in {each.name for each in shop.db.capabilities()}

    def test_nobody_sets_the_mark(self, shop: Face) -> None:
        with pytest.raises(InvalidInputError, match="deleted_at"):
            self.ask(shop, "t", "customers.create", email="a", deleted_at="2026-01-01T00:00:00Z")


class Versions(Shop):
    def test_a_change_of_what_somebody_else_changed_is_a_conflict(self, shop: Face) -> None:
        """Lesson 10: versioned, with code behind it."""
        record = self.ask(shop, "t", "products.create", sku="a")
        self.ask(shop, "t", "products.update", id=record["id"], stock=1, expected_version=1)

        for what, given in (("update", {"stock": 2}), ("delete", {})):
            with pytest.raises(VersionConflictError):
                self.ask(shop, "t", f"products.{what}", id=record["id"], expected_version=1, **given)
        with pytest.raises(RecordNotFoundError):
            self.ask(shop, "other", "products.update", id=record["id"], stock=2, expected_version=2)

        now = self.ask(shop, "t", "products.read", id=record["id"])
        assert (now["stock"], now["version"]) == (1, 2)

    def test_every_change_makes_a_version(self, shop: Face) -> None:
        id = self.ask(shop, "t", "products.create", sku="a")["id"]
        self.ask(shop, "t", "products.update", filter={"sku": "a"}, fields={"stock": {"$inc": 1}})
        self.ask(shop, "t", "products.bulk_update", filter={"sku": "a"}, update={"stock": 3})
        self.ask(shop, "t", "products.bulk_update", data=[{"id": id, "stock": 4}])
        self.ask(shop, "t", "products.upsert", id=id, sku="a", stock=5, conflict_on=["id"])
        self.ask(shop, "t", "products.bulk_upsert", data=[{"id": id, "sku": "a", "stock": 6}], conflict_on=["id"])

        assert self.ask(shop, "t", "products.read", id=id)["version"] == 6

    @pytest.mark.parametrize("bad", ["1", 0, True, 1.0, 2**63])
    def test_a_version_that_cannot_be_is_refused(self, shop: Face, bad: Any) -> None:
        with pytest.raises(InvalidInputError, match="expected_version"):
            self.ask(shop, "t", "products.update", id=1, stock=1, expected_version=bad)

    def test_nobody_sets_the_version(self, shop: Face) -> None:
        with pytest.raises(InvalidInputError, match="version"):
            self.ask(shop, "t", "products.create", sku="a", version=7)
        with pytest.raises(InvalidInputError, match="expected_version"):
            self.ask(shop, "t", "products.update", filter={"sku": "a"}, fields={"stock": 1}, expected_version=1)

    def test_one_of_two_writers_of_a_version_wins(self, shop: Face) -> None:
        db = shop.db
        with db.tenant("t"):
            id = db.express_sync.create("Product", {"sku": "a"})["id"]

        async def both() -> list[Any]:
            with db.tenant("t"):
                asked = [db.express.update("Product", id, {"stock": n}, expected_version=1) for n in (1, 2)]
                outcomes = await asyncio.gather(*asked, return_exceptions=True)
            await db.close_async()
            return outcomes

        outcomes = asyncio.run(both())

        assert sorted(isinstance(each, VersionConflictError) for each in outcomes) == [False, True]
