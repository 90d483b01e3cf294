"""Spans of workflows, as OpenTelemetry's own exporter in memory sees them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from kailash.errors import WorkflowExecutionError
from kailash.workflow.builder import WorkflowBuilder
from nexus import Nexus

EXPORTER = InMemorySpanExporter()


@pytest.fixture(scope="module", autouse=True)
def provider() -> None:
    made = TracerProvider()
    made.add_span_processor(SimpleSpanProcessor(EXPORTER))
    trace.set_tracer_provider(made)


@pytest.fixture
def app() -> Iterator[Nexus]:
    EXPORTER.clear()
    with Nexus(enable_durability=False) as made:
        yield made


def spans() -> dict[str, ReadableSpan]:
    return {span.name: span for span in EXPORTER.get_finished_spans()}


def workflow(*steps: Any) -> WorkflowBuilder:
    made = WorkflowBuilder("order")
    for number, step in enumerate(steps):
        made.add_node(step, f"step{number}", {"value": "a secret"})
    return made


def parent_of(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent is not None else None


def same(value: str) -> dict[str, Any]:
    return {"value": value}


def refuse(value: str) -> dict[str, Any]:
    raise ValueError(value)


def test_a_run_and_each_of_its_steps_is_a_span(app: Nexus) -> None:
    app.execute_workflow(workflow(same, same))

    seen = spans()
    run = seen["workflow order"]
    assert [seen[name].attributes["kailash.step"] for name in ("step step0", "step step1")] == ["step0", "step1"]  # type: ignore[index]
    assert {parent_of(seen["step step0"]), parent_of(seen["step step1"])} == {run.context.span_id}


async def test_under_asyncio_too(app: Nexus) -> None:
    await app.execute_workflow(workflow(same))

    assert set(spans()) == {"workflow order", "step step0"}


def test_a_failure_is_seen_by_its_class_and_no_value_is(app: Nexus) -> None:
    with pytest.raises(WorkflowExecutionError):
        app.execute_workflow(workflow(refuse))

    seen = spans()
    assert seen["step step0"].status.description == "ValueError"
    assert not seen["workflow order"].status.is_ok
    assert "secret" not in "".join(span.to_json() for span in seen.values())


def test_a_step_of_a_nested_workflow_stands_below_its_step(app: Nexus) -> None:
    outer = WorkflowBuilder("outer")
    outer.add_workflow("inner", workflow(same))

    app.execute_workflow(outer)

    seen = spans()
    assert parent_of(seen["step inner.step0"]) == seen["step inner"].context.span_id


PROGRAM = """
import sys
from kailash import WorkflowBuilder
from nexus import Nexus

workflow = WorkflowBuilder("order")
workflow.add_node(lambda: {"value": 1}, "step")
Nexus(enable_durability=False).execute_workflow(workflow)
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""


def test_a_program_without_a_provider_imports_nothing_of_it() -> None:
    answer = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    assert answer.stdout == "[]\n"
