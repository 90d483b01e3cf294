"""What belongs to a record comes along: in Python, in workflows, over HTTP, on the command line and to agents."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from mcp import Client
from openapi_spec_validator import validate

from dataflow import DataFlow
from kailash import LocalRuntime, WorkflowBuilder
from nexus import Nexus
from nexus.channels.cli import app as program

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[DataFlow]:
    async with DataFlow(database_url) as db:

        @db.model
        class Customer:
            name: str

        @db.model
        class Order:
            customer_id: int
            total: float

        await db.express.bulk_create("Customer", [{"name": "Ann"}, {"name": "Bob"}])
        await db.express.bulk_create("Order", [{"customer_id": 1, "total": 9.5}, {"customer_id": 1, "total": 1.0}])
        yield db


async def test_over_http(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/api/orders?include=customer&sort=-id&fields=total,customer.name")).json()
    read = (await client.get("/api/customers/1?include=orders&fields=name,orders.total")).json()

    assert listed["items"] == [
        {"total": 1.0, "customer": {"name": "Ann"}},
        {"total": 9.5, "customer": {"name": "Ann"}},
    ]
    assert read == {"name": "Ann", "orders": [{"total": 9.5}, {"total": 1.0}]}


async def test_over_http_an_unknown_relation_is_named_with_the_nearest(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/orders?include=custmer")

    assert answer.status_code == 422
    assert (answer.json()["errors"][0]["code"], answer.json()["hint"]) == (
        "unknown_relation",
        "did you mean 'customer'?",
    )


async def test_the_next_page_includes_too(client: httpx.AsyncClient) -> None:
    first = await client.get("/api/orders?include=customer&limit=1")
    second = await client.get(first.links["next"]["url"])

    assert [item["customer"]["name"] for page in (first, second) for item in page.json()["items"]] == ["Ann", "Ann"]


async def test_the_document_of_the_api_tells_of_it(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    validate(document)

    for path in ("/api/orders", "/api/orders/{id}"):
        (said,) = [each for each in document["paths"][path]["get"]["parameters"] if each["name"] == "include"]
        assert "customer" in said["description"]
    assert document["components"]["schemas"]["OrderFound"]["properties"]["customer"]["type"] == ["object", "null"]
    assert "customer" not in document["components"]["schemas"]["Order"]["properties"]


@pytest.mark.usefixtures("db")
def test_in_a_workflow() -> None:
    workflow = WorkflowBuilder()
    workflow.add_node("CustomerReadNode", "ann", {"id": 1, "include": ["orders"]})
    workflow.add_node("OrderListNode", "orders", {"filter": {"customer_id": "$ann.id"}, "include": "customer"})

    results, _ = LocalRuntime().execute(workflow.build())

    assert [order["total"] for order in results["ann"]["orders"]] == [9.5, 1.0]
    assert {order["customer"]["name"] for order in results["orders"]["records"]} == {"Ann"}


def test_on_the_command_line(db: DataFlow) -> None:
    app = Nexus(dataflow_integration=db)

    def run(*words: str) -> Any:
        with CliRunner().isolation() as (out, err, _):
            code = program.run([*words, "--output", "json"], app)
        assert (code, err.getvalue()) == (0, b"")
        return json.loads(out.getvalue())

    assert run("customers", "get", "1", "--include", "orders")["orders"][1]["total"] == 1.0
    listed = run("orders", "list", "--include", "customer", "--sort", "id")
    assert [order["customer"]["name"] for order in listed["items"]] == ["Ann", "Ann"]


async def test_to_an_agent(db: DataFlow) -> None:
    """The SDK's client checks the answer against the schema that was listed."""
    async with Client(Nexus(dataflow_integration=db).mcp.server()) as agent:
        (tool,) = [tool for tool in (await agent.list_tools()).tools if tool.name == "database_orders_list"]
        listed = await agent.call_tool(
            "database_orders_list", {"include": ["customer"], "fields": ["id", "customer.name"]}
        )

    assert "customer" in tool.input_schema["properties"]["include"]["description"]
    assert listed.structured_content["records"][0] == {"id": 1, "customer": {"name": "Ann"}}
