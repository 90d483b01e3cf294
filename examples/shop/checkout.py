"""Buying something: a workflow of one transaction, and the two nodes that the shop brings itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kailash import WorkflowBuilder
from kailash.nodes.base import node


class PaymentDeclinedError(Exception):
    """The bank said no."""


@node
def payment_process(amount: float, method: str, transaction_id: str | None = None) -> dict[str, Any]:
    """Take the money. A shop asks its bank here; this one declines every card that is called "declined"."""
    if method == "declined":
        raise PaymentDeclinedError(f"the bank declined {amount:.2f}")
    return {"paid": amount, "method": method, "status": "paid"}


@node(effect="pure")
def calculate_discount(base_total: float, discount_percent: float, *, free_shipping: bool = False) -> dict[str, Any]:
    """Return what is left to pay, and what was given away."""
    discount = round(base_total * discount_percent / 100, 2)
    benefits = [f"{discount_percent:g}% off", *(["free shipping"] if free_shipping else [])]
    return {"final_total": round(base_total - discount, 2), "benefits": benefits}


def checkout(order_data: Mapping[str, Any]) -> WorkflowBuilder:
    """Return the workflow that stores an order, takes its items from the stock and is paid, or leaves nothing."""
    workflow = WorkflowBuilder()

    # Start transaction
    workflow.add_node("TransactionStartNode", "txn", {"isolation_level": "READ_COMMITTED"})

    # Create order
    workflow.add_node(
        "OrderCreateNode",
        "order",
        {
            "customer_id": order_data["customer_id"],
            "items": order_data["items"],
            "total": order_data["total"],
        },
    )

    # Update inventory for each item
    for item in order_data["items"]:
        workflow.add_node(
            "ProductUpdateNode",
            f"stock_{item['product_id']}",
            {
                "id": item["product_id"],
                "stock": {"$dec": item["quantity"]},
                "transaction_id": "$txn.id",
            },
        )

    # Process payment
    workflow.add_node(
        "PaymentProcessNode",
        "payment",
        {"amount": order_data["total"], "method": order_data["payment_method"], "transaction_id": "$txn.id"},
    )

    # Commit or rollback
    workflow.add_node("TransactionCommitNode", "commit", {"transaction_id": "$txn.id", "rollback_on_error": True})
    return workflow
