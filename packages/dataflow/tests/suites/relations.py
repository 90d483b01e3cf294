"""What comes along with a record, on any database, through either face."""

from __future__ import annotations

from typing import Annotated, Any

import pytest

from dataflow import DataFlow, ForeignKey
from dataflow.effects import DataPlan
from dataflow.errors import IncludeTooLargeError, TenantRequiredError
from dataflow.operations import related
from dataflow.operations import values as ops
from kailash.context import ANONYMOUS, Context
from kailash.errors import InvalidInputError
from suites.faces import Face, Facing


def noted(plan: DataPlan[Any], asked: list[str]) -> DataPlan[Any]:
    """Return *plan*, which writes down what it asks for."""
    effect = next(plan)
    try:
        while True:
            asked.append(type(effect).__name__)
            effect = plan.send((yield effect))
    except StopIteration as end:
        return end.value


class Shop:
    """Two customers, the first with two orders of two lines each; a third order of nobody."""

    @pytest.fixture
    def shop(self, url: str, faced: Facing) -> Face:
        db = DataFlow(url)

        @db.model
        class Customer:
            name: str

        @db.model
        class Order:
            customer_id: int | None = None
            note: str = ""

        @db.model
        class Line:
            order_id: Annotated[int, ForeignKey("Order.id", on_delete="cascade")]
            product_id: str
            count: int = 1

        @db.model
        class Product:
            id: str
            name: str

        face = faced(db)
        face.do("customers.bulk_create", data=[{"name": "Ann"}, {"name": "Bob"}])
        face.do("orders.bulk_create", data=[{"customer_id": 1}, {"customer_id": 1, "note": "late"}, {}])
        face.do("products.bulk_create", data=[{"id": "lamp", "name": "Lamp"}, {"id": "desk", "name": "Desk"}])
        wanted = [(1, "lamp"), (1, "desk"), (2, "lamp"), (2, "gone")]
        face.do("lines.bulk_create", data=[{"order_id": order, "product_id": product} for order, product in wanted])
        return face


class Including(Shop):
    def test_a_parent_comes_along(self, shop: Face) -> None:
        records = shop.do("orders.list", include="customer", sort="id")["records"]

        assert [record["customer"] and record["customer"]["name"] for record in records] == ["Ann", "Ann", None]

    def test_children_come_along_in_order_of_id(self, shop: Face) -> None:
        ann, bob = shop.do("customers.list", include=["orders"], sort="id")["records"]

        assert [order["id"] for order in ann["orders"]] == [1, 2]
        assert bob["orders"] == []

    def test_an_included_record_is_the_one_that_is_read(self, shop: Face) -> None:
        order = shop.do("orders.read", id=1, include="customer")

        assert order["customer"] == shop.express("read", "Customer", 1)
        assert order["found"] is True

    def test_a_path_goes_on_from_what_came_along(self, shop: Face) -> None:
        ann = shop.do("customers.read", id=1, include="orders.lines.product")

        names = [[line["product"] and line["product"]["name"] for line in order["lines"]] for order in ann["orders"]]
        assert names == [["Lamp", "Desk"], ["Lamp", None]]

    def test_both_directions_at_once(self, shop: Face) -> None:
        order = shop.do("orders.read", id=2, include="customer,lines")

        assert order["customer"]["name"] == "Ann" and [line["product_id"] for line in order["lines"]] == [
            "lamp",
            "gone",
        ]

    def test_only_the_fields_asked_for_come_back(self, shop: Face) -> None:
        found = shop.do(
            "orders.list", fields="note,customer.name,lines.id", include="customer,lines", sort="id", limit=1
        )

        assert found["records"] == [{"note": "", "customer": {"name": "Ann"}, "lines": [{"id": 1}, {"id": 2}]}]

    def test_the_express_faces_include_too(self, shop: Face) -> None:
        read = shop.express("read", "Order", 1, include="customer")
        found = shop.express("find_one", "Order", {"note": "late"}, include=["customer"])
        listed = shop.express("list", "Order", {"id": 1}, include="customer")

        assert [read["customer"]["name"], found["customer"]["name"], listed[0]["customer"]["name"]] == ["Ann"] * 3

    def test_an_absent_record_stays_absent(self, shop: Face) -> None:
        assert shop.express("read", "Order", 99, include="customer") is None
        assert shop.do("orders.read", id=99, include="customer", raise_on_not_found=False) == {"id": 99, "found": False}

    def test_pages_and_counts_are_those_of_the_records_themselves(self, shop: Face) -> None:
        first = shop.do("orders.list", include="lines", limit=1, count=True)
        rest = shop.do("orders.list", include="lines", limit=9, cursor=first["next_cursor"])

        assert (first["total"], first["count"], [record["id"] for record in rest["records"]]) == (3, 1, [2, 3])

    def test_what_a_transaction_wrote_comes_along(self, shop: Face) -> None:
        with shop.transaction():
            shop.do("orders.create", customer_id=2)
            bob = shop.do("customers.read", id=2, include="orders")

            assert [order["id"] for order in bob["orders"]] == [4]

    def test_a_relation_costs_one_query_however_many_records(self, shop: Face) -> None:
        shop.do("customers.bulk_create", data=[{"name": f"c{n}"} for n in range(50)])
        shop.do("orders.bulk_create", data=[{"customer_id": 1 + n % 50} for n in range(200)])
        path = ops.Include("orders", (), (ops.Include("lines", (), (ops.Include("product"),)),))
        listing = ops.List("Customer", include=(path,))
        asked: list[str] = []

        found = shop.run(noted(shop.db._plan(listing, shop.db.models["Customer"], ANONYMOUS), asked))

        assert (len(found.records), asked) == (52, ["Query"] * 4)

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"include": "custmer"}, "did you mean 'customer'"),
            ({"include": "customer.name"}, "'name' is no relation of Customer"),
            ({"include": "lines.product", "fields": "lines.prodct_id"}, "'prodct_id' is not a field of lines"),
            ({"fields": "customer.name"}, "which is not included"),
            ({"include": 5}, "must be names"),
            ({"include": "a.b.c.d.e"}, "longer than 4"),
            ({"include": "; drop"}, "names no relation"),
            ({"include": [f"r{n}" for n in range(17)]}, "at most 16"),
        ],
    )
    def test_what_cannot_come_along_is_named(self, shop: Face, given: dict[str, Any], words: str) -> None:
        with pytest.raises(InvalidInputError) as refused:
            shop.do("orders.list", given)

        assert words in f"{refused.value} {refused.value.hint}"

    def test_a_model_without_relations_says_so(self, url: str) -> None:
        db = DataFlow(url)

        @db.model
        class Alone:
            name: str

        with pytest.raises(InvalidInputError) as refused:
            db.express_sync.list("Alone", include="others")
        db.close()

        assert refused.value.hint == "Alone has no relations"

    def test_too_many_records_are_refused_not_cut_off(self, shop: Face) -> None:
        shop.do("lines.bulk_create", data=[{"order_id": 3, "product_id": "lamp"}] * (related.MOST_RECORDS + 1))

        with pytest.raises(IncludeTooLargeError, match="'lines' of these Order"):
            shop.do("orders.list", include="lines")

        assert len(shop.do("orders.read", id=1, include="lines")["lines"]) == 2


class Confined:
    """What comes along is read under the policies of its own model."""

    @pytest.fixture
    def shop(self, url: str, faced: Facing) -> Face:
        db = DataFlow(url)

        @db.model
        class Customer:
            name: str
            __dataflow__ = {"multi_tenant": True, "soft_delete": True}

        @db.model
        class Order:
            customer_id: int
            __dataflow__ = {"multi_tenant": True, "soft_delete": True}

        face = faced(db)
        for tenant in ("acme", "globex"):
            self.ask(face, tenant, "customers.create", name=tenant)
        for tenant in ("acme", "globex"):
            self.ask(face, tenant, "orders.bulk_create", data=[{"customer_id": 1}, {"customer_id": 2}])
        return face

    @staticmethod
    def ask(shop: Face, tenant: str, what: str, **given: Any) -> Any:
        return shop.within(Context(tenant=tenant), what, given)

    def test_a_parent_of_another_tenant_does_not_come_along(self, shop: Face) -> None:
        own, others = self.ask(shop, "acme", "orders.list", include="customer", sort="id")["records"]

        assert (own["customer"]["name"], others["customer"]) == ("acme", None)

    def test_children_of_another_tenant_do_not_come_along(self, shop: Face) -> None:
        (customer,) = self.ask(shop, "globex", "customers.list", include="orders")["records"]

        assert [order["id"] for order in customer["orders"]] == [4]

    def test_what_is_marked_as_deleted_does_not_come_along(self, shop: Face) -> None:
        self.ask(shop, "acme", "orders.delete", id=1)
        found = self.ask(shop, "acme", "customers.read", id=1, include="orders")
        self.ask(shop, "globex", "customers.delete", id=2)
        left = self.ask(shop, "globex", "orders.read", id=4, include="customer")

        assert (found["orders"], left["customer"]) == ([], None)

    def test_no_tenant_is_an_error_for_what_comes_along_too(self, shop: Face) -> None:
        with pytest.raises(TenantRequiredError):
            shop.do("orders.list", include="customer")
