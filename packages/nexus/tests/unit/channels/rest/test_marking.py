"""Data is never parsed as a template: whatever a request says comes back as it was said."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from kailash import Literal, WorkflowBuilder
from nexus import Nexus
from nexus.channels.rest.marking import as_data

REFERENCES = [
    "$txn.id",
    "$txn",
    "${secret}",
    "{{secret}}",
    "$input.secret",
    "$input",
    "$context.tenant",
    "$context.principal",
    "$nobody.path[0].x",
    "$$",
    "$$txn.id",
    "before {{secret}} and $txn.id after",
    "{{",
    "}}",
    "$",
    '{"$coalesce": ["$txn.id", 1]}',
    "$txn.id == 'x'",
]


class Line(BaseModel):
    sku: str
    notes: list[str] = []


class Order(BaseModel):
    customer: str
    lines: list[Line]
    extra: dict[str, Any] = {}


def keep(**given: Any) -> dict[str, Any]:
    return {"given": given}


def txn() -> dict[str, Any]:
    return {"id": "of the transaction"}


def kept(**given: Any) -> WorkflowBuilder:
    builder = WorkflowBuilder()
    builder.add_node(txn, "txn")
    builder.add_node(keep, "keep", given)
    return builder


@pytest.fixture
def shop(app: Nexus) -> Nexus:
    @app.api_endpoint("/checkout/{place}", methods=["POST"])
    def checkout(place: str, order: dict, coupon: str = "") -> Any:  # type: ignore[type-arg]  # as the seeds write it
        return app.execute_workflow(kept(place=place, coupon=coupon, nested=[order], **order))

    @app.api_endpoint("/typed", methods=["POST"])
    async def typed(order: Order) -> Any:
        lines = [{"sku": line.sku, "notes": line.notes} for line in order.lines]
        return app.execute_workflow(kept(customer=order.customer, lines=lines, extra=order.extra))

    @app.api_endpoint("/awaited", methods=["POST"])
    async def awaited(order: Order) -> Any:
        return await app.execute_workflow(kept(customer=order.customer))

    return app


@pytest.mark.parametrize("text", REFERENCES)
async def test_every_text_of_a_request_comes_back_byte_for_byte(
    shop: Nexus, client: httpx.AsyncClient, text: str
) -> None:
    order = {"customer": text, "items": [text, {"name": text, "deep": {"deeper": [text]}}], "method": {text: text}}

    path = httpx.URL("http://test/checkout/").copy_with(path="/checkout/" + text.replace("/", "-"))
    answer = await client.post(path, json=order, params={"coupon": text})

    assert answer.status_code == 200, answer.text
    given = answer.json()["keep"]["given"]
    assert given == {"place": text, "coupon": text, "nested": [order], **order}


@pytest.mark.parametrize("text", REFERENCES)
@pytest.mark.parametrize("path", ["/typed", "/awaited"])
async def test_every_text_of_a_model_comes_back_byte_for_byte(
    shop: Nexus, client: httpx.AsyncClient, text: str, path: str
) -> None:
    order = {"customer": text, "lines": [{"sku": text, "notes": [text]}], "extra": {"a": {"$coalesce": [text]}}}

    answer = await client.post(path, json=order)

    assert answer.status_code == 200, answer.text
    given = answer.json()["keep"]["given"]
    assert given == {name: order[name] for name in given}


class Tier(enum.StrEnum):
    VIP = "vip"


@dataclasses.dataclass(frozen=True)
class Address:
    street: str
    tier: Tier


def test_members_and_other_objects_stay_themselves() -> None:
    thing = object()

    marked = as_data({"a": (Address("$x.y", Tier.VIP), thing, 5, None, Tier.VIP)})

    address, same, *rest = marked["a"]
    assert type(address.street) is Literal
    assert address.tier is Tier.VIP
    assert same is thing
    assert rest == [5, None, Tier.VIP]
    assert type(rest[2]) is Tier


async def test_an_endpoint_keeps_its_signature(app: Nexus, client: httpx.AsyncClient) -> None:
    @app.api_endpoint("/area")
    def area(width: float, height: float = 2.0) -> float:
        return width * height

    assert (await client.get("/area", params={"width": 3})).json() == 6.0
    assert (await client.get("/area")).json()["errors"][0]["field"] == "width"


async def test_a_failing_workflow_of_an_endpoint_has_the_status_of_its_cause(
    app: Nexus, client: httpx.AsyncClient
) -> None:
    def needs(number: int) -> dict[str, int]:
        return {"number": number}

    @app.api_endpoint("/run")
    def run() -> Any:
        builder = WorkflowBuilder()
        builder.add_node(needs, "needs", {"number": "{{number}}"})
        return app.execute_workflow(builder)

    answer = await client.get("/run")

    assert (answer.status_code, answer.json()["code"]) == (422, "node_validation")
