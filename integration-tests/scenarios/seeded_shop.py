"""The application of the seeds: their models and their workflows as they write them, by name.

The checkout, and the two nodes that the seeds use and leave to the program, are those of ``examples/shop``.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

from msgspec import Meta

from dataflow import DataFlow
from kailash import WorkflowBuilder
from nexus import Nexus

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "shop"))
try:
    _example = importlib.import_module("checkout")
finally:
    sys.path.pop(0)

checkout = _example.checkout
PaymentDeclinedError = _example.PaymentDeclinedError


def create_user() -> WorkflowBuilder:
    """Seeds 002 and 003, and 000 with the other spelling of an input."""
    workflow = WorkflowBuilder()
    workflow.add_node("UserCreateNode", "create", {
        "email": "{{email}}",
        "full_name": "{{full_name}}"
    })  # fmt: skip
    return workflow


def create_user_000() -> WorkflowBuilder:
    workflow = WorkflowBuilder()
    workflow.add_node("UserCreateNode", "create", {"email": "${email}"})
    return workflow


def create_session() -> WorkflowBuilder:
    workflow = WorkflowBuilder()
    workflow.add_node("SessionCreateNode", "create", {
        "user_id": "{{user_id}}",
        "token": "{{token}}"
    })  # fmt: skip
    return workflow


def process_order(order_id: int) -> WorkflowBuilder:
    workflow = WorkflowBuilder()

    # Get order details
    workflow.add_node("OrderReadNode", "order", {"id": order_id})

    # Check product stock
    workflow.add_node("ProductReadNode", "product", {
        "id": "$order.product_id"
    })  # fmt: skip

    # Update stock
    workflow.add_node("ProductUpdateNode", "update_stock", {
        "id": "$order.product_id",
        "stock": {"$dec": "$order.quantity"}
    })  # fmt: skip

    # Update order status
    workflow.add_node("OrderUpdateNode", "complete", {
        "id": order_id,
        "status": "completed"
    })  # fmt: skip

    return workflow


def analytics_dashboard() -> WorkflowBuilder:
    workflow = WorkflowBuilder()

    # Multiple aggregations in parallel
    workflow.add_node("ProductAggregateNode", "inventory", {
        "group_by": ["category"],
        "aggregate": {
            "total_value": {"$sum": {"$multiply": ["price", "stock"]}},
            "low_stock_count": {"$sum": {"$case": [
                {"$lt": ["stock", 10]}, 1, 0
            ]}}
        }
    })  # fmt: skip

    workflow.add_node("OrderAggregateNode", "revenue", {
        "filter": {"status": "completed"},
        "group_by": [{"$date_trunc": ["day", "created_at"]}],
        "aggregate": {
            "daily_revenue": {"$sum": "total"},
            "order_count": {"$count": "*"}
        }
    })  # fmt: skip

    return workflow


def process_vip_order(order_data: dict) -> WorkflowBuilder:  # type: ignore[type-arg]  # as the seeds write it
    workflow = WorkflowBuilder()

    # Check customer tier
    workflow.add_node("CustomerReadNode", "customer", {
        "id": order_data["customer_id"]
    })  # fmt: skip

    # Apply VIP benefits
    workflow.add_node("ConditionalNode", "check_vip", {
        "condition": "$customer.tier == 'vip'",
        "true_branch": "apply_discount",
        "false_branch": "standard_processing"
    })  # fmt: skip

    # VIP discount
    workflow.add_node("CalculateDiscountNode", "apply_discount", {
        "base_total": order_data["total"],
        "discount_percent": 10,
        "free_shipping": True
    })  # fmt: skip

    # Create order with benefits
    workflow.add_node("OrderCreateNode", "create_order", {
        **order_data,
        "total": "$apply_discount.final_total",
        "benefits_applied": "$apply_discount.benefits"
    })  # fmt: skip

    return workflow


FIXED: Final[dict[str, Callable[[], WorkflowBuilder]]] = {
    "create_user": create_user,
    "create_user_000": create_user_000,
    "create_session": create_session,
    "analytics_dashboard": analytics_dashboard,
}
BUILT: Final[dict[str, Callable[..., WorkflowBuilder]]] = {
    "process_order": process_order,
    "checkout": checkout,
    "process_vip_order": process_vip_order,
}


def declare(db: DataFlow) -> None:
    """Declare the models that the workflows speak of."""

    @db.model
    class User:
        id: str
        email: str
        full_name: str | None = None

    @db.model
    class Session:
        id: str
        user_id: str
        token: str

    @db.model
    class Customer:
        email: str
        name: str
        tier: str = "standard"  # standard, premium, vip

    @db.model
    class Product:
        name: str
        price: float
        category: str
        stock: Annotated[int, Meta(ge=0)] = 0

    @db.model
    class Order:
        customer_id: int
        total: float
        product_id: int | None = None
        quantity: int = 1
        items: list[Any] = []
        status: str = "pending"
        benefits_applied: list[str] | None = None


def offer(nexus: Nexus) -> None:
    """Register the workflows by name, and those that are endpoints in the seeds as endpoints too."""
    for name, build in FIXED.items():
        nexus.register(name, build().build())
    for name, function in BUILT.items():
        nexus.workflow(name)(function)

    @nexus.api_endpoint("/api/orders/{order_id}/process", methods=["POST"])
    def process(order_id: int) -> Any:
        return nexus.execute_workflow(process_order(order_id))

    @nexus.api_endpoint("/api/checkout", methods=["POST"])
    def buy(order_data: dict) -> Any:  # type: ignore[type-arg]  # as the seeds write it
        return nexus.execute_workflow(checkout(order_data))

    @nexus.api_endpoint("/api/analytics/dashboard")
    def dashboard() -> Any:
        return nexus.execute_workflow(analytics_dashboard())
