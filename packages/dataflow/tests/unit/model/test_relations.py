"""Which relations models have, what they are called, and their graph."""

from __future__ import annotations

from typing import Annotated

from dataflow.model.declare import declare
from dataflow.model.registry import Models
from dataflow.model.relations import Relation, circles, mermaid, pointing, relations
from dataflow.model.spec import ForeignKey


class Customer:
    name: str


class Order:
    customer_id: int | None = None


class OrderLine:
    order_id: Annotated[int, ForeignKey("Order.id", on_delete="cascade")]


def found(*classes: type) -> dict[str, dict[str, tuple[str, str, str, bool]]]:
    return {
        model: {name: (each.field, each.target, each.target_field, each.many) for name, each in named.items()}
        for model, named in relations([declare(cls) for cls in classes]).items()
    }


def test_a_relation_has_a_name_on_either_side() -> None:
    assert found(Customer, Order, OrderLine) == {
        "Customer": {"orders": ("id", "Order", "customer_id", True)},
        "Order": {
            "customer": ("customer_id", "Customer", "id", False),
            "order_lines": ("id", "OrderLine", "order_id", True),
        },
        "OrderLine": {"order": ("order_id", "Order", "id", False)},
    }


def test_the_order_of_declaration_does_not_matter() -> None:
    assert found(OrderLine, Order, Customer) == found(Customer, Order, OrderLine)


def test_a_field_of_another_type_is_no_relation() -> None:
    class Visit:
        customer_id: str

    assert found(Customer, Visit) == {"Customer": {}, "Visit": {}}


def test_two_relations_of_one_name_are_told_apart_by_their_fields() -> None:
    class Team:
        name: str

    class Match:
        home_team_id: Annotated[int, ForeignKey("Team.id")]
        guest_team_id: Annotated[int, ForeignKey(Team)]

    told = found(Team, Match)

    assert set(told["Match"]) == {"home_team", "guest_team"}
    assert set(told["Team"]) == {"matches_by_home_team_id", "matches_by_guest_team_id"}


def test_a_field_keeps_its_name() -> None:
    class Invoice:
        customer: str
        customer_id: int

    class Payment:
        invoice_number: Annotated[str, ForeignKey("Bill.number")]

    class Bill:
        number: str
        payments: int = 0
        __indexes__ = [{"fields": ["number"], "unique": True}]

    assert set(found(Customer, Invoice)["Invoice"]) == {"customer_by_customer_id"}
    assert set(found(Bill, Payment)["Payment"]) == {"bill"}
    assert set(found(Bill, Payment)["Bill"]) == {"payments_by_invoice_number"}


def test_a_model_may_point_to_itself() -> None:
    class Category:
        parent_id: Annotated[int | None, ForeignKey("Category.id")] = None

    assert set(found(Category)["Category"]) == {"parent", "categories"}


class A:
    b_id: Annotated[int, ForeignKey("B.id")]


class B:
    c_id: Annotated[int | None, ForeignKey("C.id")] = None


class C:
    a_id: int
    b_id: int


def edges(*classes: type) -> list[Relation]:
    return [*pointing([declare(cls) for cls in classes])]


def test_a_circle_is_found_and_told_as_a_way() -> None:
    ways = [[(edge.model, edge.field) for edge in circle] for circle in circles(edges(A, B, C))]

    assert ways == [[("A", "b_id"), ("B", "c_id"), ("C", "a_id")]]


def test_no_circle_is_found_where_there_is_none() -> None:
    assert circles(edges(Customer, Order, OrderLine)) == []


def test_the_graph_is_drawn() -> None:
    assert mermaid([declare(cls) for cls in (Customer, Order, OrderLine)]) == (
        "erDiagram\n"
        "    Customer {\n        int id PK\n        str name\n"
        "        datetime created_at\n        datetime updated_at\n    }\n"
        "    Order {\n        int id PK\n        int customer_id\n"
        "        datetime created_at\n        datetime updated_at\n    }\n"
        "    OrderLine {\n        int id PK\n        int order_id FK\n"
        "        datetime created_at\n        datetime updated_at\n    }\n"
        '    Customer |o..o{ Order : "customer_id"\n'
        '    Order ||--o{ OrderLine : "order_id"\n'
    )


def test_a_registry_knows_the_relations_of_models_that_came_later() -> None:
    models = Models()
    customer = models.register(declare(Customer))
    assert dict(customer.relations) == {}

    models.register(declare(Order))

    assert list(customer.relations) == ["orders"]
