"""One side of a comparison of two releases: does a round of a case when it is told to, and says how long a call took.

``python turns.py FOLDER POSTGRES_URL`` reads lines ``{"case": ..., "calls": ...}`` and answers each with one; it begins
with the names of its cases. Both sides live at once and take turns, so that what the machine does meets both.
Rule: public names alone, which every release that is compared with knows.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from dataflow import DataFlow
from kailash import AsyncLocalRuntime, LocalRuntime, WorkflowBuilder
from nexus import Nexus

ROWS = 2_000
STEPS = 100
NEW = itertools.count(1_000_000)  # numbers of products that nobody has made
Case = Callable[[], Any]


def product(number: int) -> dict[str, Any]:
    """Return the fields of one product."""
    name, category = f"Product {number}", f"c{number % 6}"
    return {"sku": f"S{number:07}", "name": name, "category": category, "price": number % 100 + 0.5}


def shop(url: str) -> DataFlow:
    """Return a database with one model and its rows."""
    db = DataFlow(url)

    class Product:
        sku: Annotated[str, Meta(max_length=20)]
        name: str
        category: str
        price: Annotated[float, Meta(ge=0)]
        stock: int = 0
        __indexes__ = [{"fields": ["sku"], "unique": True}, {"fields": ["category", "id"]}]

    db.model(Product)
    db.express_sync.bulk_create("Product", [product(number) for number in range(ROWS)])
    return db


def operations(express: Any, many: bool) -> dict[str, Case]:
    """Return one call for each operation; *many*: bulk operations too."""
    changed = product(77)
    cases: dict[str, Case] = {
        "read": lambda: express.read("Product", 321),
        "create": lambda: express.create("Product", product(next(NEW))),
        "update": lambda: express.update("Product", 321, {"price": 7.5}),
        "list": lambda: express.list("Product", {"category": "c3"}, limit=20),
        "count": lambda: express.count("Product", {"category": "c3"}),
        "upsert": lambda: express.upsert("Product", changed, ["sku"]),
    }
    if many:
        rows = [product(number) for number in range(200)]
        cases["bulk upsert of 200"] = lambda: express.bulk_upsert("Product", rows, conflict_on=["sku"])
    return cases


def double(value: int) -> dict[str, int]:
    """Do nothing worth mentioning."""
    return {"value": value + 1}


def chain() -> Any:
    """Return a workflow of steps that each take what the one before gave."""
    builder = WorkflowBuilder()
    builder.add_node(double, "s0", {"value": 1})
    for number in range(1, STEPS):
        builder.add_node(double, f"s{number}", {"value": f"$s{number - 1}.value"})
    return builder


def request(app: Nexus, method: str, path: str, query: str = "", body: bytes = b"") -> Callable[[], Awaitable[None]]:
    """Return what sends one request to the application, without a socket."""
    headers = [(b"host", b"x"), (b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("x", 80),
    }

    async def send_one() -> None:
        statuses: list[int] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await app.asgi(dict(scope), receive, send)
        assert statuses and statuses[0] < 300, statuses

    return send_one


def cases(folder: Path, postgres: str) -> tuple[dict[str, Case], dict[str, Callable[[], Awaitable[Any]]]]:
    """Return (what blocks, what runs on the loop), by name."""
    on_file, on_server = shop(f"sqlite:///{folder / 'turns.db'}"), shop(postgres)
    app = Nexus(dataflow_integration=on_server, enable_durability=False)
    built = chain().build()
    blocking = {f"{name}, blocking, SQLite": case for name, case in operations(on_file.express_sync, True).items()}
    served = operations(on_server.express_sync, True)
    blocking |= {f"{name}, blocking, PostgreSQL": case for name, case in served.items()}
    blocking["workflow of 100 steps, built"] = lambda: chain().build()
    blocking["workflow of 100 steps, blocking"] = lambda: LocalRuntime().execute(built)
    looping: dict[str, Callable[[], Awaitable[Any]]] = {
        f"{name}, asyncio, PostgreSQL": each for name, each in operations(on_server.express, False).items()
    }
    looping["workflow of 100 steps, asyncio"] = lambda: AsyncLocalRuntime().execute(built)
    looping["REST get"] = request(app, "GET", "/api/products/321")
    looping["REST list of 20"] = request(app, "GET", "/api/products", "category=c3&limit=20")
    return blocking, looping


def main(folder: Path, postgres: str) -> None:
    """Answer one line for each line."""
    blocking, looping = cases(folder, postgres)
    _say({"cases": [*blocking, *looping]})
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            asked = json.loads(line)
            name, calls = asked["case"], asked["calls"]
            gc.collect()
            if name in blocking:
                _say({"seconds": _timed(blocking[name], calls)})
            else:
                _say({"seconds": runner.run(_atimed(looping[name], calls))})


def _timed(case: Case, calls: int) -> float:
    began = time.perf_counter()
    for _ in range(calls):
        case()
    return (time.perf_counter() - began) / calls


async def _atimed(case: Callable[[], Awaitable[Any]], calls: int) -> float:
    began = time.perf_counter()
    for _ in range(calls):
        await case()
    return (time.perf_counter() - began) / calls


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
