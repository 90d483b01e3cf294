"""Workflows: references, branches, transactions, nodes of one's own, in both runtimes."""

from __future__ import annotations

from typing import Any

import pytest

from dataflow import DataFlow
from kailash import AsyncLocalRuntime, LocalRuntime, WorkflowBuilder
from kailash.errors import KailashError


@pytest.fixture(params=["blocking", "asyncio"])
def execute(request: pytest.FixtureRequest) -> Any:
    async def run(workflow: Any, inputs: dict[str, Any] | None = None) -> dict[str, Any]:
        if request.param == "blocking":
            return dict(LocalRuntime().execute(workflow, inputs)[0])
        return dict((await AsyncLocalRuntime().execute(workflow, inputs))[0])

    return run


def offered(db: DataFlow) -> int:
    made = db.express_sync.create("Product", {"sku": "a", "name": "A", "price": 2.0, "stock": 5})
    return int(made["id"])


async def test_a_transaction_is_kept_or_leaves_nothing(db: DataFlow, execute: Any) -> None:
    from contract import shop  # the database of the fixture is there first

    product = offered(db)
    outputs = await execute(shop.sell().build(), {"id": product, "many": 2})
    assert outputs["commit"]["committed"] is True

    broken = shop.sell()
    broken.add_node("TransactionStartNode", "again", {})
    broken.add_node("ProductUpdateNode", "more", {"id": product, "stock": {"$dec": 1}})
    broken.add_node("ProductReadNode", "absent", {"id": 999})
    broken.add_node("TransactionCommitNode", "end", {"transaction_id": "$again.id"})
    with pytest.raises(KailashError):
        await execute(broken.build(), {"id": product, "many": 1})

    row = db.express_sync.read("Product", product)
    assert row is not None and row["stock"] == 2


async def test_references_branches_and_functions(execute: Any) -> None:
    def double(value: float) -> dict[str, float]:
        return {"value": value * 2}

    workflow = WorkflowBuilder()
    workflow.add_node(double, "twice", {"value": "{{price}}"})
    branches = {"true_branch": ["dear"], "false_branch": ["cheap"]}
    workflow.add_node("ConditionalNode", "check", {"condition": "$twice.value > 10", **branches})
    workflow.add_node(double, "dear", {"value": "$twice.value"})
    workflow.add_node(double, "cheap", {"value": "$twice.value"})

    outputs = await execute(workflow.build(), {"price": 8.0})

    assert outputs["dear"] == {"value": 32.0}
    assert "cheap" not in outputs or outputs["cheap"].get("skipped")


async def test_a_text_of_a_request_is_never_read_as_a_template(db: DataFlow, execute: Any) -> None:
    workflow = WorkflowBuilder()
    workflow.add_node("CustomerCreateNode", "made", {"email": "{{email}}"})

    outputs = await execute(workflow.build(), {"email": "$made.id {{email}}"})

    assert outputs["made"]["email"] == "$made.id {{email}}"


def test_a_workflow_is_written_and_read_again(db: DataFlow) -> None:
    from contract import shop  # as above

    from kailash.workflow import Workflow

    product = offered(db)
    built = shop.sell().build()

    again = Workflow.from_dict(built.to_dict())

    outputs, _ = LocalRuntime().execute(again, {"id": product, "many": 1})
    assert outputs["taken"]["stock"] == 4
