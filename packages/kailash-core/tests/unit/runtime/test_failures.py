"""What goes wrong in a run: each a typed error with the node's id, in both runtimes."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from kailash import AsyncLocalRuntime, Cancellation, Context, LocalRuntime, RetryPolicy, WorkflowBuilder, node
from kailash.errors import (
    DeadlineExceededError,
    InvalidInputError,
    Kind,
    NodeTimeoutError,
    RunCancelledError,
    WorkflowExecutionError,
)
from kailash.nodes.nodetype import NodeType, Values
from kailash.nodes.scope import Scope
from kailash.runtime.base import StepEvent

Execute = Callable[..., Any]


class StandingClock:
    """A clock whose sleeps pass at once and are remembered."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> float:
        return sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def asleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def only(run: Callable[..., Any], *, effect: Any = "writes", **more: Any) -> WorkflowBuilder:
    workflow = WorkflowBuilder()
    workflow.add_node(NodeType(name="It", run=lambda values, scope: run(), effect=effect), "it", **more)
    return workflow


def fail_with(error: BaseException) -> Callable[[], Any]:
    def run() -> Any:
        raise error

    return run


def caught(execute: Execute, workflow: Any, **given: Any) -> WorkflowExecutionError:
    with pytest.raises(WorkflowExecutionError) as error:
        execute(workflow, **given)
    return error.value


def test_a_failure_stops_the_run_and_keeps_what_was_done(execute: Execute) -> None:
    workflow = WorkflowBuilder()
    workflow.add_node("TransformNode", "before", {"x": 1})
    workflow.add_node("PythonCodeNode", "boom", {"code": "raise ValueError('secret text')", "y": "$before.x"})
    workflow.add_node("PythonCodeNode", "after", {"code": "result = 1"})

    error = caught(execute, workflow)

    assert (error.node_id, error.kind, error.code) == ("boom", Kind.FAULT, "workflow_execution")
    assert error.results == {"before": {"x": 1}}
    assert isinstance(error.__cause__, ValueError)
    assert "secret text" not in error.message
    assert "secret text" in str(error)


def test_an_error_of_ours_gives_its_kind_and_code_to_the_failure(execute: Execute) -> None:
    error = caught(execute, only(fail_with(InvalidInputError("the price is wrong", hint="mend it"))))

    assert (error.kind, error.code) == (Kind.INVALID, "invalid_input")
    assert str(error) == "node 'it' failed: the price is wrong; mend it"


@pytest.mark.parametrize("output", [None, 5, "text", [1], object()])
def test_an_output_that_is_no_dict_is_refused(execute: Execute, output: Any) -> None:
    assert "not a dict" in caught(execute, only(lambda: output)).message


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [{"a": float("nan")}], (1.0, float("-inf"))])
def test_a_nan_anywhere_in_an_output_is_refused(execute: Execute, value: Any) -> None:
    assert "NaN" in caught(execute, only(lambda: {"x": 1, "value": value})).message


def test_a_failure_may_be_let_pass(execute: Execute) -> None:
    workflow = only(fail_with(ValueError("no")), on_error="continue")
    workflow.add_node("TransformNode", "after", {"x": {"$coalesce": ["$it.value", 7]}})
    workflow.add_node("TransformNode", "fed")
    workflow.add_connection("it", "value", "fed", "x")

    results, _ = execute(workflow)

    assert results == {"it": {"error": "ValueError: no", "failed": True}, "after": {"x": 7}}


def test_a_node_is_tried_again_with_longer_and_longer_pauses(execute: Execute) -> None:
    clock = StandingClock()
    left = [OSError(), OSError()]

    def run() -> Any:
        if left:
            raise left.pop()
        return {"ok": True}

    policy = RetryPolicy(attempts=3, delay=1, backoff=3, jitter=0)
    results, _ = execute(only(run, retry=policy), clock=clock)

    assert results == {"it": {"ok": True}}
    assert clock.slept == [1, 3]


@pytest.mark.parametrize("error", [InvalidInputError("wrong"), TypeError()])
def test_what_would_fail_again_is_not_tried_again(execute: Execute, error: Exception) -> None:
    clock = StandingClock()
    caught(execute, only(fail_with(error), retry=5), clock=clock)

    assert clock.slept == []


def test_the_errors_worth_a_retry_can_be_named(execute: Execute) -> None:
    clock = StandingClock()
    workflow = only(fail_with(KeyError()), retry={"attempts": 2, "on": ["LookupError"], "delay": 1, "jitter": 0})
    caught(execute, workflow, clock=clock)

    assert clock.slept == [1]


def test_a_node_that_hangs_is_left_behind_at_its_timeout(execute: Execute) -> None:
    release = threading.Event()
    try:
        error = caught(execute, only(lambda: {"x": release.wait(60)}, timeout=0.05))
    finally:
        release.set()

    assert isinstance(error.__cause__, NodeTimeoutError)
    assert error.kind is Kind.TIMEOUT


def test_a_coroutine_that_hangs_is_cancelled_at_its_timeout(execute: Execute) -> None:
    ended: list[str] = []

    async def hang() -> dict[str, Any]:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")
        return {}

    workflow = WorkflowBuilder()
    workflow.add_node(hang, "it", timeout=0.05)
    error = caught(execute, workflow)

    assert isinstance(error.__cause__, NodeTimeoutError)


def test_no_step_begins_after_the_deadline(execute: Execute) -> None:
    workflow = only(dict)
    error = caught(execute, workflow, context=Context(deadline=time.monotonic() - 1))

    assert isinstance(error.__cause__, DeadlineExceededError)
    assert error.results == {}


def test_a_hanging_step_ends_at_the_deadline(execute: Execute) -> None:
    release = threading.Event()
    try:
        error = caught(
            execute,
            only(lambda: {"x": release.wait(60)}, on_error="continue", retry=3),
            context=Context(deadline=time.monotonic() + 0.1),
        )
    finally:
        release.set()

    assert isinstance(error.__cause__, DeadlineExceededError)


def test_a_run_ends_when_it_is_cancelled(execute: Execute) -> None:
    cancellation = Cancellation()

    def cancel() -> Any:
        cancellation.request()
        return {}

    workflow = only(cancel)
    workflow.add_node("PythonCodeNode", "after", {"code": "result = 1", "it": "$it"})

    error = caught(execute, workflow, context=Context(cancellation=cancellation))

    assert isinstance(error.__cause__, RunCancelledError)
    assert "after" not in error.results


async def test_a_cancelled_task_cancels_its_nodes_and_nothing_goes_on() -> None:
    started = asyncio.Event()
    log: list[str] = []

    @node(effect="reads")
    async def wait_for_ever(x: int) -> dict[str, Any]:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            log.append(f"ended {x}")
        return {}

    workflow = WorkflowBuilder()
    for number in range(3):
        workflow.add_node(wait_for_ever, f"n{number}", {"x": number})
    task = asyncio.create_task(AsyncLocalRuntime().execute(workflow))
    await started.wait()
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(log) == ["ended 0", "ended 1", "ended 2"]


def test_a_node_that_cancels_itself_is_a_failure_of_that_node(execute: Execute) -> None:
    async def give_up() -> dict[str, Any]:
        raise asyncio.CancelledError

    workflow = WorkflowBuilder()
    workflow.add_node(give_up, "it")

    assert caught(execute, workflow).node_id == "it"


def test_when_one_of_several_fails_the_others_are_ended(execute: Execute) -> None:
    workflow = WorkflowBuilder()

    async def wait_for_ever() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async def fail() -> dict[str, Any]:
        raise ValueError("no")

    workflow.add_node(NodeType(name="Fail", arun=lambda values, scope: fail(), effect="reads"), "fail")
    workflow.add_node(
        NodeType(name="Wait", arun=lambda values, scope: wait_for_ever(), effect="reads"), "wait", timeout=0.2
    )

    assert caught(execute, workflow).node_id in ("fail", "wait")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_node_that_forks_leaves_the_child_without_a_run(tmp_path: Any) -> None:
    def fork() -> Any:
        child = os.fork()
        return {"child": child}

    workflow = only(fork)
    code = f"import pathlib; pathlib.Path({str(tmp_path / 'log')!r}).write_text('x')"
    workflow.add_node("PythonCodeNode", "after", {"code": code, "it": "$it"})
    parent = os.getpid()
    try:
        results, _ = LocalRuntime().execute(workflow)
    except WorkflowExecutionError as error:
        if os.getpid() != parent:
            os._exit(7 if "forked" in error.message else 1)
        raise
    _, status = os.waitpid(results["it"]["child"], 0)

    assert os.waitstatus_to_exitcode(status) == 7
    assert (tmp_path / "log").read_text() == "x"


class Transaction:
    """Something held, that remembers how it ended."""

    def __init__(self, log: list[str], name: str) -> None:
        self.log = log
        self.name = name

    def close(self, *, success: bool) -> None:
        self.log.append(f"{self.name} {'kept' if success else 'undone'}")

    async def aclose(self, *, success: bool) -> None:
        self.close(success=success)


@pytest.mark.parametrize(("fails", "end"), [(False, "kept"), (True, "undone")])
def test_what_a_run_holds_is_closed_once_last_first(execute: Execute, *, fails: bool, end: str) -> None:
    log: list[str] = []

    def hold(name: str) -> Callable[[Values, Scope], Values]:
        def run(values: Values, scope: Scope) -> Values:
            scope.hold(name, Transaction(log, name))
            return {}

        return run

    workflow = WorkflowBuilder()
    workflow.add_node(NodeType(name="A", run=hold("a")), "a")
    workflow.add_node(NodeType(name="B", run=hold("b")), "b")
    workflow.add_node("PythonCodeNode", "c", {"code": "result = 1 / 0" if fails else "result = 1"})
    if fails:
        caught(execute, workflow)
    else:
        execute(workflow)

    assert log == [f"b {end}", f"a {end}"]


def test_an_observer_hears_of_every_step(execute: Execute) -> None:
    events: list[StepEvent] = []
    left = [OSError()]

    def run() -> Any:
        if left:
            raise left.pop()
        return {}

    execute(only(run, retry=RetryPolicy(attempts=2, delay=0)), observer=events.append)

    assert [(event.path, event.what, event.attempt) for event in events] == [
        ("it", "started", 1),
        ("it", "retrying", 1),
        ("it", "started", 2),
        ("it", "finished", 2),
    ]


async def test_the_blocking_runtime_works_inside_a_running_event_loop() -> None:
    async def coroutine() -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"x": 1}

    workflow = WorkflowBuilder()
    workflow.add_node(coroutine, "it")

    assert LocalRuntime().execute(workflow)[0] == {"it": {"x": 1}}


def test_the_blocking_runtime_works_in_threads() -> None:
    workflow = WorkflowBuilder()
    workflow.add_node("PythonCodeNode", "it", {"code": "result = x * 2"})
    built = workflow.build()
    results: dict[int, Any] = {}
    runtime = LocalRuntime()

    def run(number: int) -> None:
        results[number] = runtime.execute(built, {"x": number})[0]["it"]["result"]

    threads = [threading.Thread(target=run, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == {number: number * 2 for number in range(20)}
