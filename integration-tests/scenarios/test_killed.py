"""A checkout under load is killed by SIGKILL at random points: orders, stock, payments and receipts balance."""

from __future__ import annotations

import asyncio
import importlib
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from dataflow import DataFlow

PROGRAM = Path(__file__).with_name("killed_shop.py")
DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
KILLS = 20 if DEEP else 3
ORDERS = 200 if DEEP else 40
AT_ONCE = 6  # customers at the counter

pytestmark = pytest.mark.timeout(1800 if DEEP else 240)


@pytest.fixture
def db(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[DataFlow]:
    monkeypatch.syspath_prepend(str(PROGRAM.parent))
    with importlib.import_module(PROGRAM.stem).shop_at(database_url) as db:
        db.express_sync.bulk_create("Product", [{"name": name, "stock": ORDERS} for name in ("Lamp", "Chair")])
        yield db


@pytest.fixture
def draw() -> random.Random:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # shown when the test fails
    return random.Random(seed)


def assert_balanced(db: DataFlow) -> None:
    everybody = Counter(range(ORDERS))
    bought = {
        model: Counter(row["customer_id"] for row in db.express_sync.list(model, limit=None))
        for model in ("Order", "Payment", "Receipt")
    }

    assert bought == {"Order": everybody, "Payment": everybody, "Receipt": everybody}
    assert [row["stock"] for row in db.express_sync.list("Product")] == [ORDERS // 2, ORDERS // 2]
    assert db.run_store().unfinished() == []


# -- a program that runs workflows ---------------------------------------------------------------------------


def start(url: str) -> subprocess.Popen[str]:
    arguments = [sys.executable, str(PROGRAM), url, str(ORDERS)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


def kill_after(program: subprocess.Popen[str], lines: int) -> bool:
    """Kill it when it has said so much, while others are under way; whether it had not ended before."""
    assert program.stdout is not None
    for _ in range(lines):
        if not program.stdout.readline():
            break
    program.kill()
    program.communicate(timeout=60)
    return program.returncode == -signal.SIGKILL


def test_what_was_bought_was_bought_once(db: DataFlow, database_url: str, draw: random.Random) -> None:
    new, done, killed = ORDERS // (KILLS + 1), 0, 0
    for _ in range(KILLS):
        lines = done + draw.randrange(1, new)  # what is done already is said again, from the journal
        killed += kill_after(start(database_url), lines)
        done = db.express_sync.count("Receipt")
    with start(database_url) as last:
        last.communicate(timeout=200)

    assert (killed, last.returncode) == (KILLS, 0)
    assert_balanced(db)


# -- a server, and customers who ask again until they are answered --------------------------------------------


class Server:
    """The shop over HTTP, until it is killed."""

    def __init__(self, url: str) -> None:
        self.process = subprocess.Popen([sys.executable, str(PROGRAM), url, "serve"], stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        self.address = self.process.stderr.readline().split(" on ")[1].split()[0]

    async def sell(self, waiting: list[int], most: int | None) -> int:
        """Answer the customers who wait, and be killed after *most* answers; return how many were answered."""
        answered = 0

        async def customers(client: httpx.AsyncClient) -> None:
            nonlocal answered
            while waiting:
                customer = waiting.pop()
                if not await bought(client, customer):
                    waiting.append(customer)
                    if self.process.poll() is not None:
                        return
                    continue
                answered += 1
                if answered == most:
                    self.process.kill()
                    self.process.wait()

        async with httpx.AsyncClient(base_url=self.address, timeout=120) as client, asyncio.TaskGroup() as counter:
            for _ in range(AT_ONCE):
                counter.create_task(customers(client))
        return answered

    def end(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=60)


async def bought(client: httpx.AsyncClient, customer: int) -> bool:
    """Ask for what *customer* buys, always by the same key; whether that was answered, and not cut off."""
    inputs = {"customer": customer, "product": 1 + customer % 2}
    try:
        answer = await client.post(
            "/workflows/checkout/execute", json={"inputs": inputs}, headers={"idempotency-key": f"order-{customer}"}
        )
    except httpx.TransportError:
        return False
    assert answer.status_code in {200, 409}, answer.text
    return answer.status_code == 200  # 409: the run of this key goes on, since the server started again


def test_a_server_that_is_killed_sells_everything_once(db: DataFlow, database_url: str, draw: random.Random) -> None:
    waiting, killed = list(range(ORDERS)), 0
    while waiting:
        server = Server(database_url)
        most = draw.randrange(1, ORDERS // (KILLS + 1)) if killed < KILLS else None
        asyncio.run(server.sell(waiting, most))
        killed += server.process.poll() == -signal.SIGKILL
        server.end()

    assert killed == KILLS
    assert_balanced(db)
