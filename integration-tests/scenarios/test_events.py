"""Changes of the data start workflows, once each, for the tenant whose they are."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from dataflow import DataFlow
from kailash.events import Event
from kailash.workflow.builder import WorkflowBuilder
from nexus import Nexus


@pytest.fixture
def db(database_url: str) -> Iterator[DataFlow]:
    with DataFlow(database_url, multi_tenant=True) as db:

        @db.model
        class Order:
            status: str = "pending"
            total: int = 0

            __dataflow__ = {"workflow_events": ["status_change"]}

        @db.model
        class Shipment:
            order_id: int
            status: str

        yield db


def _ship() -> WorkflowBuilder:
    builder = WorkflowBuilder()
    given = {"order_id": "{{record_id}}", "status": "$input.record.status"}
    builder.add_node("ShipmentCreateNode", "made", given)
    return builder


def _shipped(db: DataFlow, number: int) -> tuple[threading.Event, list[Any]]:
    """Return what is set when so many shipments were made, and those."""
    enough, made = threading.Event(), []

    def hear(event: Event) -> None:
        assert event.after is not None
        made.append((event.tenant, event.after["order_id"], event.after["status"]))
        if len(made) >= number:
            enough.set()

    db.on_model_change("Shipment", hear)
    return enough, made


def _serve(db: DataFlow, builder: WorkflowBuilder) -> Nexus:
    app = Nexus(api_port=0, mcp_port=None, dataflow_integration=db)
    app.register("order_status_change", builder)
    app.start(blocking=False)
    patience = time.monotonic() + 60
    while not app.health_check()["ready"]:  # from then on nothing is missed
        assert time.monotonic() < patience
    return app


def test_the_change_of_a_field_starts_the_workflow_of_its_name(db: DataFlow) -> None:
    enough, made = _shipped(db, 2)
    with _serve(db, _ship()):
        for tenant in ("acme", "globex"):
            with db.tenant(tenant):
                order = db.express_sync.create("Order", {"total": 5})["id"]
                db.express_sync.update("Order", order, {"total": 6})
                db.express_sync.update("Order", order, {"status": f"paid by {tenant}"})
        assert enough.wait(60)

    assert made == [("acme", 1, "paid by acme"), ("globex", 2, "paid by globex")]


def test_what_happened_while_nobody_served_starts_its_workflow_later(db: DataFlow) -> None:
    enough, made = _shipped(db, 2)
    first = threading.Event()
    db.on_model_change("Shipment", lambda event: first.set())
    with db.tenant("acme"):
        with _serve(db, _ship()):
            order = db.express_sync.create("Order", {})["id"]
            db.express_sync.update("Order", order, {"status": "paid"})
            assert first.wait(60)
        db.express_sync.update("Order", order, {"status": "sent"})
    with _serve(db, _ship()):
        assert enough.wait(60)

    assert [status for _, _, status in made] == ["paid", "sent"]
    with db.tenant("acme"):
        assert db.express_sync.count("Shipment") == 2


def test_a_workflow_that_fails_does_not_keep_the_next_change_from_its_turn(
    db: DataFlow, caplog: pytest.LogCaptureFixture
) -> None:
    enough, made = _shipped(db, 1)
    builder = WorkflowBuilder()
    builder.add_node("OrderReadNode", "order", {"id": "$input.record.total"})  # fails where the total is no id
    builder.add_node("ShipmentCreateNode", "made", {"order_id": "$order.id", "status": "$input.record.status"})
    with _serve(db, builder), db.tenant("acme"):
        order = db.express_sync.create("Order", {"total": 99})["id"]
        db.express_sync.update("Order", order, {"status": "fails"})
        db.express_sync.update("Order", order, {"total": 1})
        db.express_sync.update("Order", order, {"status": "works"})
        assert enough.wait(60)

    assert made == [("acme", order, "works")]
    assert "order_status_change" in caplog.text
