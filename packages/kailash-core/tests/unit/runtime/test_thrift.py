"""What runs leave behind, and what they share."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from kailash.errors import WorkflowExecutionError
from kailash.nodes.base import node
from kailash.nodes.registry import NodeRegistry
from kailash.runtime import AsyncLocalRuntime, LocalRuntime
from kailash.runtime.sqlite_store import SQLiteRunStore
from kailash.workflow.builder import WorkflowBuilder
from kailash.workflow.graph import Workflow

APART = NodeRegistry()


@node(registry=APART)
async def thread_of(before: int = 0) -> dict[str, int]:
    await asyncio.sleep(0)
    return {"thread": threading.get_ident()}


@node(registry=APART)
async def cancel_itself() -> dict[str, int]:
    raise asyncio.CancelledError


@node(effect="pure", registry=APART)
def same(value: int) -> dict[str, int]:
    return {"value": value}


@pytest.fixture
def no_collections() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def coroutines(*kinds: object) -> Workflow:
    builder = WorkflowBuilder()
    for number, kind in enumerate(kinds):
        builder.add_node(kind, f"step_{number}")
    return builder.build()


def side_by_side() -> Workflow:
    builder = WorkflowBuilder()
    for number in range(5):
        builder.add_node(same, f"step_{number}", {"value": number})
    return builder.build()


@pytest.mark.usefixtures("no_collections")
def test_a_run_leaves_nothing_to_the_garbage_collector() -> None:
    runtime, workflow = LocalRuntime(), side_by_side()
    runtime.execute(workflow)
    gc.collect()

    def left() -> int:
        runtime.execute(workflow)
        return gc.collect()

    assert min(left() for _ in range(3)) == 0  # a thread of another test may end in one of them


@pytest.mark.usefixtures("no_collections")
def test_a_run_under_asyncio_leaves_nothing_to_the_garbage_collector() -> None:
    runtime, workflow = AsyncLocalRuntime(), coroutines(thread_of, thread_of)

    async def left() -> list[int]:
        await runtime.execute(workflow)
        gc.collect()
        found = []
        for _ in range(3):
            await runtime.execute(workflow)
            found.append(gc.collect())
        return found

    assert min(asyncio.run(left())) == 0  # as above


def test_coroutines_of_blocking_runs_share_one_event_loop() -> None:
    runtime, workflow = LocalRuntime(), coroutines(thread_of, thread_of)

    results = [output for _ in range(2) for output in runtime.execute(workflow)[0].values()]

    assert len({each["thread"] for each in results}) == 1
    assert results[0]["thread"] != threading.get_ident()


def test_what_a_coroutine_left_running_is_cancelled_with_the_run() -> None:
    ended = threading.Event()

    @node(registry=NodeRegistry())
    async def leave() -> dict[str, int]:
        async def linger() -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                ended.set()

        leave.__dict__["task"] = asyncio.create_task(linger())
        await asyncio.sleep(0)
        return {}

    LocalRuntime().execute(coroutines(leave))

    assert ended.wait(5)


def test_a_coroutine_that_cancels_itself_among_others_is_a_failed_node() -> None:
    with pytest.raises(WorkflowExecutionError) as failed:
        LocalRuntime().execute(coroutines(thread_of, cancel_itself))

    assert failed.value.node_id == "step_1"


def test_steps_side_by_side_are_written_down_at_once(tmp_path: Path) -> None:
    waves: list[list[str]] = []

    class Counted(SQLiteRunStore):
        def keep(self, run_id: str, steps: Sequence[tuple[str, bytes]]) -> None:
            waves.append([path for path, _ in steps])
            super().keep(run_id, steps)

    store = Counted(tmp_path / "runs.db")
    LocalRuntime(store=store).execute(side_by_side())
    store.close()

    assert waves == [[f"step_{number}" for number in range(5)]]
