"""Durable requests: the same key is the same run, and what was cut off goes on at the next start."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from kailash import WorkflowBuilder
from kailash.errors import RunInProgressError
from kailash.nodes.base import NodeType, type_of
from kailash.runtime.record import RunRecord
from kailash.runtime.sqlite_store import SQLiteRunStore
from nexus import Nexus
from nexus.call import Call, Ticket


class Shop:
    """Counts what was done; pay waits, or fails, if it is told to."""

    def __init__(self) -> None:
        self.orders: list[Any] = []
        self.payments: list[Any] = []
        self.reached = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()
        self.broken = False

    async def order(self, item: Any) -> dict[str, Any]:
        self.orders.append(item)
        return {"number": len(self.orders)}

    async def pay(self, amount: float) -> dict[str, Any]:
        self.reached.set()
        await self.open.wait()
        if self.broken:
            raise ConnectionError
        self.payments.append(amount)
        return {"paid": amount}

    def checkout(self, item: Any, amount: Any) -> WorkflowBuilder:
        builder = WorkflowBuilder()
        builder.add_node(self.order, "order", {"item": item})
        builder.add_node(self.pay, "pay", {"amount": amount})
        return builder


@pytest.fixture
async def shop() -> Shop:
    return Shop()


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KAILASH_RUNS", str(tmp_path / "runs.db"))
    return tmp_path / "runs.db"


def application(shop: Shop) -> Nexus:
    app = Nexus()
    app.register("checkout", shop.checkout("{{item}}", "{{amount}}"))
    app.workflow("made")(lambda item, amount: shop.checkout(item, amount))

    @app.api_endpoint("/buy", methods=["POST"])
    def buy(order: dict[str, Any]) -> Any:
        return app.execute_workflow(shop.checkout(order["item"], order["amount"]))

    @app.api_endpoint("/buy-twice", methods=["POST"])
    async def buy_twice(order: dict[str, Any]) -> Any:
        first = await app.execute_workflow(shop.checkout(order["item"], order["amount"]))
        second = await app.execute_workflow(shop.checkout(order["item"], order["amount"]))
        return {"first": first, "second": second}

    return app


@pytest.fixture
async def client(shop: Shop, path: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = application(shop)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app.asgi), base_url="http://test") as made:
        yield made


GIVEN = {"item": "$lamp.x", "amount": 5.0}
KEY = {"idempotency-key": "k-1"}


async def ask(client: httpx.AsyncClient, name: str, given: Any, **headers: str) -> httpx.Response:
    return await client.post(f"/workflows/{name}/execute", json={"inputs": given}, headers=KEY | headers)


@pytest.mark.parametrize("name", ["checkout", "made"])
async def test_the_same_key_is_answered_once_more_and_nothing_is_repeated(
    client: httpx.AsyncClient, shop: Shop, name: str
) -> None:
    first, second = await ask(client, name, GIVEN), await ask(client, name, GIVEN)

    assert first.json()["outputs"] == second.json()["outputs"] == {"order": {"number": 1}, "pay": {"paid": 5.0}}
    assert first.json()["run_id"] == second.json()["run_id"]
    assert (shop.orders, shop.payments) == (["$lamp.x"], [5.0])


@pytest.mark.parametrize("name", ["checkout", "made"])
async def test_a_key_that_comes_with_other_inputs_is_422(client: httpx.AsyncClient, name: str) -> None:
    await ask(client, name, GIVEN)

    answer = await ask(client, name, GIVEN | {"amount": 6.0})

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_key_whose_run_is_under_way_is_409(client: httpx.AsyncClient, shop: Shop) -> None:
    shop.open.clear()
    first = asyncio.create_task(ask(client, "checkout", GIVEN))
    await shop.reached.wait()

    second = await ask(client, "checkout", GIVEN)
    shop.open.set()

    assert (second.status_code, second.json()["code"]) == (409, "run_in_progress")
    assert (await first).status_code == 200


async def test_a_run_that_failed_goes_on_with_its_key(client: httpx.AsyncClient, shop: Shop) -> None:
    shop.broken = True
    failed = await ask(client, "checkout", GIVEN)
    shop.broken = False
    again = await ask(client, "checkout", GIVEN)

    assert (failed.status_code, again.status_code) == (500, 200)
    assert (len(shop.orders), shop.payments) == (1, [5.0])


async def test_a_key_that_cannot_be_used_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/workflows/checkout/execute", json={}, headers={"idempotency-key": "a b"})

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_header")


@pytest.mark.parametrize(("path_", "orders"), [("/buy", 1), ("/buy-twice", 2)])
async def test_workflows_of_an_endpoint_keep_to_the_key_of_the_request(
    client: httpx.AsyncClient, shop: Shop, path_: str, orders: int
) -> None:
    answers = [await client.post(path_, json=GIVEN, headers=KEY) for _ in range(3)]
    other = await client.post(path_, json=GIVEN | {"item": "other"}, headers=KEY)

    assert len({answer.text for answer in answers}) == 1
    assert (answers[0].status_code, other.status_code) == (200, 422)
    assert shop.orders == ["$lamp.x"] * orders


async def test_what_was_cut_off_goes_on_at_the_next_start(shop: Shop, path: Path) -> None:
    shop.open.clear()
    before = application(shop)
    for name in ("checkout", "made"):
        shop.reached.clear()
        call = Call("rest", name, GIVEN, ticket=Ticket(idempotency_key=name))
        cut_off = asyncio.create_task(before.answer(call))
        await shop.reached.wait()
        before._leave()  # as when the server ends
        cut_off.cancel()
        await asyncio.wait([cut_off])
    before._offered().close()
    shop.open.set()

    after = application(shop)
    await after._resume()

    assert (shop.orders, shop.payments) == (["$lamp.x"] * 2, [5.0, 5.0])
    assert {each["status"] for each in (await listed(after))} == {"done"}
    await after._resume()
    assert len(shop.payments) == 2


def record(run_id: str) -> RunRecord:
    return RunRecord(run_id=run_id, workflow="w", name="checkout", given=b"[]", status="running")


def test_a_run_is_taken_over_when_its_owner_is_no_more(path: Path) -> None:
    owner, other, third = SQLiteRunStore(path), SQLiteRunStore(path), SQLiteRunStore(path)
    owner.begin(record("r"))

    assert other.take_over(["checkout"]) == []
    with pytest.raises(RunInProgressError):
        other.begin(record("r"))
    owner.close()
    assert other.take_over(["another"]) == []
    assert [each.run_id for each in other.take_over(["checkout"])] == ["r"]
    assert third.take_over(["checkout"]) == []
    for store in (other, third):
        store.close()
    assert [each.name for each in path.parent.glob("*.alive")] == []


async def test_nothing_is_written_for_what_only_reads_or_is_not_durable(shop: Shop, path: Path) -> None:
    def look() -> dict[str, int]:
        return {"seen": 1}

    reading = WorkflowBuilder()
    plain = type_of(look)
    reading.add_node(NodeType(name="LookNode", run=plain.run, inputs=plain.inputs, effect="reads"), "look")
    app = Nexus()
    app.register("look", reading)
    not_durable = Nexus(enable_durability=False)
    not_durable.register("checkout", shop.checkout("{{item}}", "{{amount}}"))

    await app.answer(Call("rest", "look"))
    await not_durable.answer(Call("rest", "checkout", GIVEN, ticket=Ticket(idempotency_key="k")))
    await app._resume()

    assert len(shop.orders) == 1
    assert not path.exists()  # noqa: ASYNC240 - in a test


async def listed(app: Nexus) -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = (await app.answer(Call("rest", ":jobs.list"))).value["jobs"]
    return jobs
