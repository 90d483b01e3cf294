"""Workflows on the command line: listed, run, watched, gone on with."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from kailash import WorkflowBuilder
from kailash.runtime.base import StepEvent
from nexus import Nexus
from nexus.channels.cli import watch


class Bank:
    """A payment that fails until it is mended; made: how many orders were made."""

    def __init__(self) -> None:
        self.mended = False
        self.made = 0

    def order(self, item: str, count: int = 1) -> dict[str, Any]:
        self.made += 1
        return {"item": item, "count": count}

    def pay(self, card: str, amount: float) -> dict[str, Any]:
        if not self.mended:
            raise ConnectionError("no route to the bank")
        return {"paid": amount}


@pytest.fixture
def bank(application: Nexus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bank:
    monkeypatch.setenv("KAILASH_RUNS", str(tmp_path / "runs.db"))
    made = Bank()
    builder = WorkflowBuilder("checkout", "Order and pay.")
    builder.add_node(made.order, "order", {"item": "{{item}}"})
    builder.add_node(made.pay, "pay", {"card": "{{card}}", "amount": "{{amount}}"})
    application.register("checkout", builder)
    return made


GIVEN = ["--input", "item=12", "-i", "card=4111", "--input", "amount=9.5"]


def test_workflows_are_listed_and_shown(run: Any, bank: Bank) -> None:
    assert run(["workflows", "--output", "json"]).value["items"] == [
        {"name": "checkout", "inputs": "item, card, amount", "summary": "Order and pay."}
    ]
    shown = run(["workflows", "checkout"]).value
    assert shown["inputs"]["required"] == ["amount", "card", "item"]
    assert shown["mermaid"].startswith("flowchart")


def test_a_run_writes_what_it_gives(run: Any, bank: Bank) -> None:
    bank.mended = True

    ran = run(["run", "checkout", *GIVEN, "-i", "order.count=3"])

    assert ran.code == 0, ran.err
    assert ran.value["outputs"] == {"order": {"item": "12", "count": 3}, "pay": {"paid": 9.5}}


def test_inputs_may_be_one_json_object(run: Any, bank: Bank) -> None:
    bank.mended = True

    ran = run(["run", "checkout", "--data", '{"item": "a", "card": "b", "amount": 1}', "-i", "item=c"])

    assert ran.value["outputs"]["order"]["item"] == "c"
    assert run(["run", "checkout", "--data", "[1]"]).code == 2
    assert run(["run", "checkout", "--input", "item"]).code == 2
    assert run(["run", "checkot"]).code == 4


def test_steps_are_told_line_by_line_where_nobody_looks(run: Any, bank: Bank) -> None:
    bank.mended = True

    ran = run(["run", "checkout", *GIVEN, "--watch"])

    lines = [line.split("  ")[:2] for line in ran.err.splitlines()]
    assert lines == [["order", "started"], ["order", "finished"], ["pay", "started"], ["pay", "finished"]]
    assert ran.value["outputs"]["pay"] == {"paid": 9.5}


def test_a_failed_run_says_which_node_its_inputs_and_how_to_go_on(run: Any, bank: Bank) -> None:
    ran = run(["run", "checkout", *GIVEN])

    assert ran.code == 1
    assert "node 'pay' failed with ConnectionError" in ran.err
    assert "cause: ConnectionError: no route to the bank" in ran.err
    assert "input card: ***" in ran.err.replace('"', "")
    assert "4111" not in ran.err
    assert "input amount: 9.5" in ran.err
    assert "finished before: order" in ran.err
    key = ran.err.split("--key ")[1].split()[0]

    bank.mended = True
    again = run(["run", "checkout", *GIVEN, "--key", key])

    assert again.value["outputs"]["pay"] == {"paid": 9.5}
    assert bank.made == 1


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_table_that_ends_with_the_last_state() -> None:
    stream = Terminal()

    with watch.shown(stream, color=False) as hear:
        hear(StepEvent(run_id="r", path="pay", node="PayNode", what="started"))
        hear(StepEvent(run_id="r", path="pay", node="PayNode", what="retrying", error=ValueError("secret")))
        hear(StepEvent(run_id="r", path="pay", node="PayNode", what="finished", attempt=2, seconds=1.5))

    last = stream.getvalue().split("step")[-1]
    assert "PayNode" in last
    assert "1.500" in last
    assert "secret" not in stream.getvalue()
