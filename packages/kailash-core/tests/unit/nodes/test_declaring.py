"""Declaring node types: by function, by class, by capability, by text."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from kailash import AsyncNode, Context, LocalRuntime, Node, NodeRegistry, WorkflowBuilder, node, register_node
from kailash.capability import Capability, Nature
from kailash.errors import NodeConfigurationError, NodeExecutionError, WorkflowExecutionError, WorkflowValidationError
from kailash.nodes.base import type_of
from kailash.nodes.code import PythonCodeNode
from kailash.nodes.from_capability import node_type_of
from kailash.nodes.scope import Scope
from kailash.shapes import Field, Shape


def ran(node_type: Any, config: dict[str, Any] | None = None, **given: Any) -> Any:
    workflow = WorkflowBuilder()
    workflow.add_node(node_type, "it", config or {})
    return LocalRuntime().execute(workflow, **given)[0]["it"]


def test_a_function_gives_name_schema_and_summary() -> None:
    def calculate_tax(amount: float, rate: float = 0.2, rows: list[dict[str, Any]] | None = None) -> dict[str, float]:
        """Add what the state takes.

        More.
        """
        return {"tax": amount * rate}

    made = type_of(calculate_tax)

    assert (made.name, made.summary, made.effect) == ("CalculateTaxNode", "Add what the state takes.", "writes")
    assert made.required() == {"amount"}
    assert made.schema()["properties"]["rate"] == {"type": "number", "default": 0.2}


def test_a_function_that_says_what_it_returns_has_one_output() -> None:
    def count() -> int:
        return 5

    def nothing() -> None:
        return None

    def undeclared():  # type: ignore[no-untyped-def]
        return 5

    assert ran(count) == {"result": 5}
    assert ran(nothing) == {}
    with pytest.raises(WorkflowExecutionError) as caught:
        ran(undeclared)
    assert isinstance(caught.value.__cause__, NodeExecutionError)


def test_context_and_scope_are_given_to_who_asks() -> None:
    def who(x: int, context: Context, scope: Scope) -> dict[str, Any]:
        return {"tenant": context.tenant, "same": scope.context is context, "x": x}

    assert ran(who, {"x": 1}, context=Context(tenant="acme")) == {"tenant": "acme", "same": True, "x": 1}
    assert type_of(who).required() == {"x"}


def test_rows_with_dates_pass_a_parameter_annotated_as_a_list() -> None:
    rows = [{"at": datetime(2026, 1, 1, tzinfo=UTC)}]

    def take(rows: list[dict[str, Any]]) -> dict[str, Any]:
        return {"rows": rows}

    assert ran(take, {"rows": "{{rows}}"}, inputs={"rows": rows}) == {"rows": rows}
    with pytest.raises(WorkflowExecutionError, match="must be a list"):
        ran(take, {"rows": "{{rows}}"}, inputs={"rows": {}})


def test_registering_the_same_again_changes_nothing_and_another_of_the_name_is_refused() -> None:
    registry = NodeRegistry()

    def make() -> Callable[..., Any]:
        @node(registry=registry)
        def job_one() -> dict[str, Any]:
            return {}

        return job_one

    make()
    make()
    with pytest.raises(NodeConfigurationError):

        @node(name="JobOneNode", registry=registry)
        def other() -> dict[str, Any]:
            return {}

    with pytest.raises(NodeConfigurationError):
        node(name="SwitchNode", registry=registry)(make)


def test_classes_are_registered_under_their_name_and_an_alias() -> None:
    @register_node(alias="Fetcher")
    class FetchThings(AsyncNode):
        async def async_run(self, **inputs: Any) -> dict[str, Any]:
            return inputs

    assert ran("FetchThings", {"x": 1}) == {"x": 1}
    assert ran("Fetcher", {"x": 2}) == {"x": 2}


def test_what_is_no_node_is_refused() -> None:
    class Nothing:
        pass

    for declared in (Nothing, Nothing(), 5):
        workflow = WorkflowBuilder()
        workflow.add_node(declared, "it")
        with pytest.raises(WorkflowValidationError):
            workflow.build()


def test_a_setting_must_be_known_when_the_workflow_is_built() -> None:
    class Scaler(Node):
        def __init__(self, factor: int) -> None:
            super().__init__()
            self.factor = factor

        def run(self, value: int) -> dict[str, int]:  # type: ignore[override]
            return {"value": value * self.factor}

    assert ran(Scaler, {"factor": 2, "value": 4}) == {"value": 8}
    workflow = WorkflowBuilder()
    workflow.add_node(Scaler, "it", {"value": 4})
    with pytest.raises(WorkflowValidationError, match="settings"):
        workflow.build()


@pytest.mark.parametrize(
    ("code", "inputs", "expected"),
    [
        ("result = x * 2", {"x": 4}, {"result": 8}),
        ("a = x + 1\nb = a + 1", {"x": 1}, {"a": 2, "b": 3}),
        ("import math\ndef f(n): return math.floor(n)\nresult = f(x)", {"x": 1.5}, {"result": 1}),
        ("x = x + 1\nresult = [y for y in range(x)]", {"x": 1}, {"result": [0, 1]}),
    ],
)
def test_code_gives_its_result_or_its_new_variables(code: str, inputs: dict[str, Any], expected: Any) -> None:
    assert ran("PythonCodeNode", {"code": code, **inputs}) == expected


def test_a_function_can_be_a_node_of_code() -> None:
    def twice(x: int) -> int:
        return x * 2

    assert ran(PythonCodeNode.from_function(twice), {"x": 2}) == {"result": 4}


def test_a_capability_is_a_node() -> None:
    shape = Shape("Note", [Field("text", str)])

    class Intake:
        def schema(self) -> dict[str, Any]:
            return shape.schema()

        def accept(self, given: Any) -> Any:
            return shape.check(given)

    async def acall(given: Any, context: Context) -> dict[str, Any]:
        return {"said": given["text"], "by": context.principal}

    capability = Capability(
        name="notes.bulk_create", summary="Write notes.", nature=Nature.WRITE, inputs=Intake(), output=dict,
        call=lambda given, context: {"said": given["text"], "by": context.principal}, acall=acall,
        resource="notes", action="bulk_create", record=shape,
    )  # fmt: skip
    made = node_type_of(capability)

    assert (made.name, made.effect) == ("NoteBulkCreateNode", "writes")
    assert ran(made, {"text": "x"}, context=Context(principal="ann")) == {"said": "x", "by": "ann"}
    with pytest.raises(WorkflowValidationError, match="text"):
        ran(made, {"text": 5})
    with pytest.raises(WorkflowExecutionError) as caught:
        ran(made, {"text": "{{text}}"}, inputs={"text": 5})
    assert caught.value.code == "invalid_input"


class Echo(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"path": "%s", "body": %s}' % (self.path.encode(), body))

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


def test_an_http_server_is_asked() -> None:
    server = HTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/notes?a=1"
    try:
        output = ran("HTTPRequestNode", {"url": url, "method": "POST", "params": {"b": 2}, "json_data": {"x": 1}})
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

    assert output["response"]["content"] == {"path": "/notes?a=1&b=2", "body": {"x": 1}}
    assert (output["status_code"], output["success"]) == (201, True)
    with pytest.raises(WorkflowExecutionError) as caught:
        ran("HTTPRequestNode", {"url": url})
    assert caught.value.code == "unreachable"
    with pytest.raises(WorkflowExecutionError, match="http"):
        ran("HTTPRequestNode", {"url": "file:///etc/passwd"})


def test_an_http_request_that_only_reads_is_a_read() -> None:
    prepare = NodeRegistry.default().find("HTTPRequestNode")
    assert prepare is not None and prepare.prepare is not None

    assert prepare.prepare({"url": "http://x"}).effect == "reads"
    assert prepare.prepare({"url": "http://x", "method": "post"}).effect == "writes"
    assert prepare.prepare({"url": "http://x", "method": "{{m}}"}).effect == "writes"
