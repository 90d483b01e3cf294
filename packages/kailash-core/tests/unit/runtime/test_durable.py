"""Durable runs: what finished is not repeated; what was cut off is; what was rolled back did not happen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kailash import WorkflowBuilder
from kailash.errors import RuntimeExecutionError, WorkflowExecutionError
from kailash.nodes.nodetype import NodeType, Values
from kailash.nodes.scope import Scope
from kailash.runtime.record import first_record
from kailash.runtime.sqlite_store import SQLiteRunStore

Execute = Callable[..., Any]
VALUES = {"when": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "price": Decimal("1.50"), "raw": b"\x00", "pair": (1, 2)}


@pytest.fixture
def store(tmp_path: Path) -> SQLiteRunStore:
    return SQLiteRunStore(tmp_path / "runs.db")


def counted(log: list[str], name: str, fails: list[bool], output: Values | None = None) -> NodeType:
    def run(values: Values, scope: Scope) -> Values:
        log.append(name)
        if fails and fails.pop():
            raise OSError("cut off")
        return output or {"x": len(log)}

    return NodeType(name=name, run=run)


def three(log: list[str], fails: list[bool]) -> WorkflowBuilder:
    workflow = WorkflowBuilder()
    workflow.add_node(counted(log, "a", [], VALUES), "a")
    workflow.add_node(counted(log, "b", fails), "b", retry=1)
    workflow.add_node("TransformNode", "c", {"when": "$a.when", "given": "{{given}}"})
    return workflow


def test_a_run_goes_on_where_it_was(execute: Execute, store: SQLiteRunStore) -> None:
    log: list[str] = []
    workflow = three(log, [True])
    with pytest.raises(WorkflowExecutionError) as caught:
        execute(workflow, {"given": Decimal("2.5")}, store=store)

    results, run_id = execute(workflow, store=store, run_id=caught.value.run_id)

    assert log == ["a", "b", "b"]
    assert run_id == caught.value.run_id
    assert results["a"] == VALUES
    assert results["c"] == {"when": VALUES["when"], "given": Decimal("2.5")}
    assert store.unfinished() == []


def test_a_finished_run_is_answered_from_its_journal(execute: Execute, store: SQLiteRunStore) -> None:
    log: list[str] = []
    workflow = three(log, [])
    first, run_id = execute(workflow, {"given": 1}, store=store, run_id="mine")

    again, _ = execute(workflow, store=store, run_id="mine")

    assert (first, run_id, log) == (again, "mine", ["a", "b"])


def test_a_run_id_belongs_to_one_workflow_and_its_inputs(execute: Execute, store: SQLiteRunStore) -> None:
    execute(three([], []), {"given": 1}, store=store, run_id="mine")
    other = WorkflowBuilder()
    other.add_node("TransformNode", "c", {"x": 1})

    with pytest.raises(RuntimeExecutionError, match="other inputs"):
        execute(three([], []), {"given": 2}, store=store, run_id="mine")
    with pytest.raises(RuntimeExecutionError, match="another workflow"):
        execute(other, store=store, run_id="mine")


def test_what_is_rolled_back_is_not_remembered(execute: Execute, store: SQLiteRunStore) -> None:
    log: list[str] = []

    class Transaction:
        def close(self, *, success: bool) -> None:
            log.append("kept" if success else "undone")

        async def aclose(self, *, success: bool) -> None:
            self.close(success=success)

    def start(values: Values, scope: Scope) -> Values:
        log.append("start")
        scope.hold("txn", Transaction())
        return {"id": 1}

    def pay(values: Values, scope: Scope) -> Values:
        log.append("pay")
        if log.count("pay") == 1:
            raise OSError("declined")
        return {}

    workflow = WorkflowBuilder()
    workflow.add_node(counted(log, "before", []), "before")
    workflow.add_node(NodeType(name="Start", run=start), "txn")
    workflow.add_node(counted(log, "order", []), "order")
    workflow.add_node(NodeType(name="Pay", run=pay), "payment")
    with pytest.raises(WorkflowExecutionError) as caught:
        execute(workflow, store=store)

    execute(workflow, store=store, run_id=caught.value.run_id)

    assert log == ["before", "start", "order", "pay", "undone", "start", "order", "pay", "kept"]


def test_turns_of_cycles_and_loops_are_remembered_one_by_one(execute: Execute, store: SQLiteRunStore) -> None:
    log: list[str] = []
    fails = [True, False, False, False]

    def step(values: Values, scope: Scope) -> Values:
        log.append(f"step {values['n']}")
        if fails and fails.pop():
            raise OSError("cut off")
        return {"n": values["n"] + 1}

    inner = WorkflowBuilder()
    inner.add_node(NodeType(name="Step", run=step, open=True), "step", {"n": "{{item}}"})
    workflow = WorkflowBuilder()
    workflow.add_node("LoopNode", "loop", {"items": [10, 20], "workflow": inner.build()})
    workflow.add_node(NodeType(name="Step", run=step, open=True), "step", {"n": 0})
    workflow.create_cycle("c").connect("step", "step", mapping={"n": "n"}).max_iterations(3).build()
    with pytest.raises(WorkflowExecutionError) as caught:
        execute(workflow, store=store)

    results, _ = execute(workflow, store=store, run_id=caught.value.run_id)

    assert log == ["step 10", "step 20", "step 0", "step 1", "step 1", "step 2"]
    assert results["step"] == {"n": 3}


PROGRAM = """
import os, signal, sys
from kailash import LocalRuntime, WorkflowBuilder
from kailash.runtime.record import first_record
from kailash.runtime.sqlite_store import SQLiteRunStore

workflow = WorkflowBuilder()
for number in range(6):
    code = f"open({sys.argv[2]!r}, 'a').write('{number}')"
    if number == int(sys.argv[3]):
        code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    workflow.add_node("PythonCodeNode", f"n{number}", {"code": code + "; result = 1"})
LocalRuntime(store=SQLiteRunStore(sys.argv[1])).execute(workflow, run_id="killed")
"""


def test_a_run_survives_kill_9(tmp_path: Path) -> None:
    log = tmp_path / "log"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    def run(kill_at: int) -> int:
        arguments = [sys.executable, "-c", PROGRAM, str(tmp_path / "runs.db"), str(log), str(kill_at)]
        return subprocess.run(arguments, env=environment, check=False, timeout=100).returncode

    assert run(3) == -signal.SIGKILL
    assert log.read_text() == "012"
    assert [record.run_id for record in SQLiteRunStore(tmp_path / "runs.db").unfinished()] == ["killed"]

    store = SQLiteRunStore(tmp_path / "runs.db")
    assert store.unfinished()[0].status == "running"
    assert run(-1) == 0
    assert log.read_text() == "012345"
    store.close()


def test_a_node_may_write_its_own_record(execute: Execute, store: SQLiteRunStore) -> None:
    """As a database does, in the transaction of the node's effects."""
    taken: list[str] = []

    def run(values: Values, scope: Scope) -> Values:
        assert scope.journal is not None
        scope.journal.note(scope.path, {"x": 1})
        taken.extend(path for path, _ in scope.journal.take())
        return {"x": 1}

    workflow = WorkflowBuilder()
    workflow.add_node(NodeType(name="Own", run=run), "own")
    workflow.add_node("TransformNode", "after", {"x": "$own.x"})
    _, run_id = execute(workflow, store=store)

    again = store.begin(first_record(workflow.build(), run_id, None, None))
    assert taken == ["own"]
    assert set(again.steps) == {"after"}
