"""REST at 32 connections, over FastAPI, pydantic and asyncpg by hand: requests a second, and processor time each."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable

import psutil
import pytest

from benchmarks import harness, programs
from benchmarks.limits import tables
from dataflow import DataFlow

Record = Callable[[harness.Line], None]
_numbers = itertools.count(2_000_000)


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def post(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


def create() -> bytes:
    return post("/api/products", json.dumps(tables.product(next(_numbers))).encode())


REQUESTS: dict[str, Callable[[], bytes]] = {
    "get": lambda: get("/api/products/4321"),
    "list of 20": lambda: get("/api/products?category=books&limit=20"),
    "create": create,
}


@pytest.mark.parametrize("what", [*REQUESTS])
def test_requests(what: str, postgres_shop: tuple[DataFlow, str], loop: asyncio.Runner, record: Record) -> None:
    _, url = postgres_shop
    request = REQUESTS[what]

    async def measure(sides: list[tuple[psutil.Process, int]]) -> list[tuple[harness.Sample, harness.Sample]]:
        async def once(side: tuple[psutil.Process, int]) -> harness.Sample:
            return await programs.load(side[0], side[1], request, 32, 2_560)

        limit, ours = sides
        await once(limit)
        await once(ours)
        return [(await once(limit), await once(ours)) for _ in range(7)]

    with programs.serving(programs.LIMIT, url) as limit, programs.serving(programs.OURS, url) as ours:
        samples = loop.run(measure([limit, ours]))
    name = f"REST {what}, 32 connections"
    record(harness._line(f"{name} (requests/s)", samples, 1.2, 1.6, True))
    processor = [(harness.Sample(a.cpu, a.cpu), harness.Sample(b.cpu, b.cpu)) for a, b in samples]
    record(harness._line(f"{name} (processor time)", processor, 0.8, 0.6, False))
