"""What comes along is read by operations of its own."""

from __future__ import annotations

from typing import Any

from dataflow.effects import DataPlan
from dataflow.model.declare import declare
from dataflow.model.registry import Model, Models
from dataflow.operations import related
from dataflow.operations import values as ops
from dataflow.query.ordering import Page
from kailash.conditions import Test
from kailash.plan import drive


class Customer:
    name: str


class Order:
    customer_id: int


def test_each_relation_is_an_operation_that_is_run_as_any_other() -> None:
    """Tenancy, soft delete and whatever else rewrites operations holds for what comes along."""
    models, seen = Models(), []
    for cls in (Customer, Order):
        models.register(declare(cls))

    def run(operation: ops.Operation, model: Model) -> DataPlan[Any]:
        seen.append((operation, model))
        yield from ()
        return ops.Listing([{"id": 1, "customer_id": 7}] if model.name == "Order" else [])

    plan = related.plan(ops.List("Order", include=(ops.Include("customer"),)), models, run)
    listing = drive(plan, lambda effect: effect)

    wanted = ops.List("Customer", Test("id", "in", (7,)), page=Page(related.MOST_RECORDS))
    assert seen == [(ops.List("Order"), models["Order"]), (wanted, models["Customer"])]
    assert listing.records == [{"id": 1, "customer_id": 7, "customer": None}]


def test_the_records_of_the_operation_are_copied_not_changed() -> None:
    models, kept = Models(), {"id": 1, "customer_id": None}
    for cls in (Customer, Order):
        models.register(declare(cls))

    def run(operation: ops.Operation, model: Model) -> DataPlan[Any]:
        yield from ()
        return ops.Listing([kept])

    drive(related.plan(ops.List("Order", include=(ops.Include("customer"),)), models, run), lambda effect: effect)

    assert kept == {"id": 1, "customer_id": None}
