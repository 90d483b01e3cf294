"""Workflows, over plain function calls, a task group, the direct operation, one INSERT, and the direct route."""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import os
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import process_time
from typing import Any, Final

import msgspec
import psutil
import pytest

from benchmarks import harness, programs
from benchmarks.limits import tables
from dataflow import DataFlow
from kailash.nodes.base import node
from kailash.nodes.registry import NodeRegistry
from kailash.runtime import AsyncLocalRuntime, LocalRuntime
from kailash.runtime.sqlite_store import SQLiteRunStore
from kailash.workflow.builder import WorkflowBuilder
from kailash.workflow.graph import Workflow

Shop = tuple[DataFlow, str]
Record = Callable[[harness.Line], None]
STEPS: Final = 100
APART: Final = NodeRegistry()


@node(effect="pure", registry=APART)
def nothing(value: Any = None) -> dict[str, Any]:
    return {"value": value}


@node(registry=APART)
def touch(value: Any = None) -> dict[str, Any]:
    return {"value": value}


@node(registry=APART)
async def anothing(value: Any = None) -> dict[str, Any]:
    return {"value": value}


@node(effect="reads", registry=APART)
async def glance(value: Any = None) -> dict[str, Any]:
    await asyncio.sleep(0)
    return {"value": value}


KINDS: Final[dict[str, Any]] = {"pure functions": nothing, "functions": touch, "coroutines": anothing}


def chain(kind: Any, steps: int) -> Workflow:
    """Return steps that each take what the one before gave."""
    builder = WorkflowBuilder("chain")
    builder.add_node(kind, "step_0", {"value": 1})
    for number in range(1, steps):
        builder.add_node(kind, f"step_{number}", {"value": f"$step_{number - 1}.value"})
    return builder.build()


def fan(kind: Any, steps: int) -> Workflow:
    """Return one step whose output all others take, and a last one that waits for them."""
    builder = WorkflowBuilder("fan")
    builder.add_node(kind, "first", {"value": 1})
    for number in range(steps):
        builder.add_node(kind, f"step_{number}", {"value": "$first.value"})
    builder.add_node(kind, "last", {"value": [f"$step_{number}.value" for number in range(steps)]})
    return builder.build()


def called(kind: Any, steps: int) -> Callable[[], Any]:
    """Return what calls a plain function as often, keeping what it gives by name."""

    def limit() -> Any:
        outputs: dict[str, Any] = {}
        value: Any = 1
        for number in range(steps):
            outputs[f"step_{number}"] = found = kind(value=value)
            value = found["value"]
        return outputs

    return limit


def grouped(kind: Any, steps: int) -> Callable[[], Awaitable[Any]]:
    """Return what runs a coroutine function as often in a task group."""

    async def limit() -> Any:
        value = (await kind(value=1))["value"]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(kind(value=value)) for _ in range(steps)]
        return await kind(value=[task.result()["value"] for task in tasks])

    return limit


def awaited(kind: Any, steps: int) -> Callable[[], Awaitable[Any]]:
    """Return what awaits a coroutine function, or calls a plain one, as often."""
    if not asyncio.iscoroutinefunction(kind):
        blocking = called(kind, steps)

        async def call() -> Any:
            return blocking()

        return call

    async def limit() -> Any:
        outputs: dict[str, Any] = {}
        value: Any = 1
        for number in range(steps):
            outputs[f"step_{number}"] = found = await kind(value=value)
            value = found["value"]
        return outputs

    return limit


def run_by(runtime: LocalRuntime, workflow: Workflow) -> Callable[[], Any]:
    return lambda: runtime.execute(workflow)


@pytest.mark.parametrize("kind", KINDS)
def test_blocking_chain(kind: str, record: Record) -> None:
    limit = called(nothing, STEPS)  # what calls a coroutine function without an event loop is no limit
    line = harness.compare(
        f"a node of a chain of 100 {kind}, blocking", run_by(LocalRuntime(), chain(KINDS[kind], STEPS)), limit, reach=1
    )
    record(harness.held_to(line, reach=8e-6, aim=6e-6, parts=STEPS))


@pytest.mark.parametrize("kind", KINDS)
def test_asyncio_chain(kind: str, loop: asyncio.Runner, record: Record) -> None:
    runtime, workflow = AsyncLocalRuntime(), chain(KINDS[kind], STEPS)
    what = f"a node of a chain of 100 {kind}, asyncio"
    line = loop.run(harness.acompare(what, lambda: runtime.execute(workflow), awaited(KINDS[kind], STEPS), reach=1))
    record(harness.held_to(line, reach=8e-6, aim=6e-6, parts=STEPS))


def test_blocking_run_of_one(record: Record) -> None:
    line = harness.compare(
        "a run of one node, blocking", run_by(LocalRuntime(), chain(touch, 1)), called(touch, 1), reach=1, calls=2_000
    )
    record(harness.held_to(line, reach=80e-6, aim=60e-6))


def test_asyncio_run_of_one(loop: asyncio.Runner, record: Record) -> None:
    runtime, workflow = AsyncLocalRuntime(), chain(anothing, 1)
    what = "a run of one node, asyncio"
    line = loop.run(
        harness.acompare(what, lambda: runtime.execute(workflow), awaited(anothing, 1), reach=1, calls=2_000)
    )
    record(harness.held_to(line, reach=40e-6, aim=20e-6))


@pytest.mark.parametrize(("kind", "what"), [(glance, "coroutines that yield"), (nothing, "pure functions")])
def test_fan_out(kind: Any, what: str, loop: asyncio.Runner, record: Record) -> None:
    runtime, workflow = AsyncLocalRuntime(), fan(kind, STEPS)
    line = loop.run(
        harness.acompare(
            f"a node of a fan-out to 100 {what}, asyncio (limit: TaskGroup)",
            lambda: runtime.execute(workflow),
            grouped(glance, STEPS),
            reach=1,
        )
    )
    record(harness.held_to(line, reach=12e-6, aim=8e-6, parts=STEPS + 2))


def objects(steps: int) -> Any:
    """Make as many objects as a workflow of so many nodes has."""
    return [[{"value": number} for _ in range(20)] for number in range(steps)]


@pytest.mark.parametrize("shape", [chain, fan], ids=lambda each: each.__name__)
def test_built_and_run_in_linear_time(shape: Callable[[Any, int], Workflow], record: Record) -> None:
    """Ours is the time for one of 10,000 nodes, the limit that for one of 1,000; both of the processor.

    Python itself takes longer for each of many objects (collections, a cache that is too small): by as much as it
    does for plain ones the limit is longer, too.
    """
    runtime = LocalRuntime()

    def run(steps: int) -> Any:
        return runtime.execute(shape(nothing, steps))

    gc.collect()
    gc.freeze()  # what the tests hold is none of the collector's work here
    growth = each_of(10_000, objects) / each_of(1_000, objects)
    few, many = each_of(1_000, run), each_of(10_000, run)
    gc.unfreeze()
    samples = [(harness.Sample(few * growth, few * growth), harness.Sample(many, many))]
    record(harness._line(f"a node of 10,000 over one of 1,000, {shape.__name__}", samples, 1.5, 1.2, False))


def each_of(steps: int, make: Callable[[int], Any]) -> float:
    """Return the seconds for one of *steps*, in the round that was disturbed least."""

    def once() -> float:
        gc.collect()
        began = process_time()
        make(steps)
        return (process_time() - began) / steps

    return min(once() for _ in range(9))


# -- generated nodes


class Generated:
    """One generated node as a workflow, and the operation that it is; each call with inputs of its own."""

    def __init__(self, db: DataFlow, operation: str) -> None:
        self._db = db
        number = itertools.count(1_000_000)
        reads = operation == "read"
        names = ("id",) if reads else tables.COLUMNS
        builder = WorkflowBuilder(operation)
        builder.add_node(f"Product{operation.capitalize()}Node", "step", {name: f"{{{{{name}}}}}" for name in names})
        self._workflow = builder.build()
        self._inputs = (lambda: {"id": 4_321}) if reads else (lambda: tables.product(next(number)))
        self._runtime, self._under_loop = LocalRuntime(), AsyncLocalRuntime()
        self._method, self._reads = operation, reads

    def run(self) -> Any:
        return self._runtime.execute(self._workflow, self._inputs())

    async def arun(self) -> Any:
        return await self._under_loop.execute(self._workflow, self._inputs())

    def direct(self) -> Any:
        express = self._db.express_sync
        return express.read("Product", 4_321) if self._reads else express.create("Product", self._inputs())

    async def adirect(self) -> Any:
        express = self._db.express
        return await (express.read("Product", 4_321) if self._reads else express.create("Product", self._inputs()))


DATABASES: Final = {"sqlite_shop": "SQLite", "postgres_shop": "PostgreSQL"}


@pytest.mark.parametrize("operation", ["read", "create"])
@pytest.mark.parametrize("database", DATABASES)
def test_asyncio_generated_node(
    database: str, operation: str, request: pytest.FixtureRequest, loop: asyncio.Runner, record: Record
) -> None:
    db, _ = request.getfixturevalue(database)
    what = f"{operation} as a workflow over the operation, asyncio, {DATABASES[database]}"

    async def measure() -> harness.Line:
        generated = Generated(db, operation)
        line = await harness.acompare(what, generated.arun, generated.adirect, reach=1.5)
        await db.close_async()
        return line

    record(loop.run(measure()))


@pytest.mark.parametrize("operation", ["read", "create"])
@pytest.mark.parametrize("database", DATABASES)
def test_blocking_generated_node(database: str, operation: str, request: pytest.FixtureRequest, record: Record) -> None:
    db, _ = request.getfixturevalue(database)
    generated = Generated(db, operation)
    what = f"{operation} as a workflow over the operation, blocking, {DATABASES[database]}"
    record(harness.compare(what, generated.run, generated.direct, reach=2.0))


_numbers = itertools.count(3_000_000)
REQUESTS: Final[dict[str, tuple[Callable[[], Any], Callable[[], bytes]]]] = {
    "read": (lambda: {"id": 4_321}, lambda: get("/api/products/4321")),
    "create": (lambda: tables.product(next(_numbers)), lambda: post("/api/products", tables.product(next(_numbers)))),
}


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def post(path: str, document: Any) -> bytes:
    body = json.dumps(document).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


@pytest.mark.parametrize("what", REQUESTS)
@pytest.mark.parametrize("database", DATABASES)
def test_rest(
    database: str,
    what: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    loop: asyncio.Runner,
    record: Record,
) -> None:
    """The limit is the direct route of the same server; a run that writes is not durable here, as the route is not."""
    db, url = request.getfixturevalue(database)
    db.close()
    monkeypatch.setenv("BENCH_DURABLE", "")
    inputs, direct = REQUESTS[what]

    async def measure(process: psutil.Process, port: int) -> list[tuple[harness.Sample, harness.Sample]]:
        async def once(made: Callable[[], bytes]) -> harness.Sample:
            return await programs.load(process, port, made, 32, 1_600)

        def run() -> bytes:
            return post(f"/workflows/{what}/execute", {"inputs": inputs()})

        await once(direct)
        await once(run)
        return [(await once(direct), await once(run)) for _ in range(7)]

    with programs.serving(programs.OURS, url if "://" in url else f"sqlite:///{url}") as (process, port):
        samples = loop.run(measure(process, port))
    name = f"REST {what} as a workflow over the route, {DATABASES[database]} (requests/s)"
    record(harness._line(name, samples, 0.8, None, True))


# -- durable runs


class ByHand:
    """INSERTs of the records of a run's steps, on a connection of the same settings: the same rows."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute(
            "CREATE TABLE steps (run_id TEXT NOT NULL, path TEXT NOT NULL, output BLOB NOT NULL,"
            " PRIMARY KEY (run_id, path)) WITHOUT ROWID"
        )

    def run(self) -> None:
        run_id = os.urandom(16).hex()
        for number in range(STEPS):
            self._connection.execute("INSERT INTO steps VALUES (?, ?, ?)", (run_id, f"step_{number}", b'{"value":1}'))

    async def arun(self) -> None:
        self.run()


def test_durable_step(tmp_path: Path, record: Record) -> None:
    store, hand, workflow = SQLiteRunStore(tmp_path / "runs.db"), ByHand(tmp_path / "hand.db"), chain(touch, STEPS)
    what = "a durable step over one INSERT, blocking"
    line = harness.compare(what, run_by(LocalRuntime(store=store), workflow), hand.run, reach=1.5)
    record(per_step(line))
    store.close()


def test_durable_step_under_asyncio(tmp_path: Path, loop: asyncio.Runner, record: Record) -> None:
    store, hand, workflow = SQLiteRunStore(tmp_path / "runs.db"), ByHand(tmp_path / "hand.db"), chain(anothing, STEPS)
    runtime = AsyncLocalRuntime(store=store)
    what = "a durable step over one INSERT, asyncio"
    line = loop.run(harness.acompare(what, lambda: runtime.execute(workflow), hand.arun, reach=1.5))
    record(per_step(line))
    store.close()


def test_durable_wave(tmp_path: Path, record: Record) -> None:
    """Steps side by side are one statement: far less than an INSERT for each."""
    store, hand, workflow = SQLiteRunStore(tmp_path / "runs.db"), ByHand(tmp_path / "hand.db"), fan(nothing, STEPS)
    what = "a step of a durable wave of 100 over one INSERT"
    line = harness.compare(what, run_by(LocalRuntime(store=store), workflow), hand.run, reach=1.0)
    record(per_step(line))
    store.close()


def per_step(line: harness.Line) -> harness.Line:
    return msgspec.structs.replace(
        line,
        ours=line.ours / STEPS,
        limit=line.limit / STEPS,
        ours_cpu=line.ours_cpu / STEPS,
        limit_cpu=line.limit_cpu / STEPS,
    )


# -- discovery

SERVER: Final = """
import sys
from dataflow import DataFlow
from nexus import Nexus

db = DataFlow("sqlite:///:memory:")
app = Nexus(
    api_port=int(sys.argv[1]), mcp_port=int(sys.argv[2]), dataflow_integration=db, auto_discovery={discovers}
)

if __name__ == "__main__":
    app.start()
"""
WORKFLOW: Final = """
from kailash.workflow.builder import WorkflowBuilder

{before}
flow = WorkflowBuilder("flow_{number}")
flow.add_node("TransformNode", "it", {{"value": 1}})
"""


def program(folder: Path, *, discovers: bool) -> Path:
    """Write a program among models, workflows, bad files and 200 files of noise; return its folder."""
    folder.mkdir()
    (folder / "shop.py").write_text(SERVER.format(discovers=discovers))
    before = {"slow": "import time; time.sleep(3600)", "bad": "raise RuntimeError", "again": "import shop"}
    for number, (name, line) in enumerate([*before.items(), *[(f"good_{each}", "") for each in range(5)]]):
        (folder / f"{name}.py").write_text(WORKFLOW.format(before=line, number=number))
    (folder / "models.py").write_text("class Product:\n    name: str\n")
    for number in range(200):
        (folder / f"noise_{number}.py").write_text("\n".join(f"def f{each}(): return {each}" for each in range(200)))
    return folder


def test_discovery_is_in_nobodys_way(tmp_path: Path, record: Record) -> None:
    """From exec to the first answer of the port, over the same program without discovery."""
    plain, finding = program(tmp_path / "plain", discovers=False), program(tmp_path / "finding", discovers=True)

    def once(folder: Path) -> harness.Sample:
        taken = programs.cold_start("shop", "", 1, "/health/live", folder)
        return harness.Sample(taken, taken)

    once(plain), once(finding)
    samples = [(once(plain), once(finding)) for _ in range(11)]
    record(harness._line("the port with auto_discovery over without", samples, 1.1, None, False))
