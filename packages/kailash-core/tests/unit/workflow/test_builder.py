"""Every form of writing a workflow, and every problem that `build` lists."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from kailash import (
    LocalRuntime,
    Node,
    NodeParameter,
    NodeRegistry,
    RetryPolicy,
    Workflow,
    WorkflowBuilder,
    literal,
    node,
)
from kailash.errors import ConfigurationError, WorkflowValidationError
from kailash.nodes.nodetype import NodeType
from kailash.workflow.graph import Connection


@node(effect="pure")
def shouting(text: str, times: int = 1) -> dict[str, str]:
    """Say it loud."""
    return {"text": text.upper() * times}


class Greeter(Node):
    def get_parameters(self) -> dict[str, NodeParameter]:
        return {
            "name": NodeParameter("name", str, required=True, description="whom"),
            "greeting": NodeParameter("greeting", str, required=False, default="Hello"),
        }

    def run(self, **inputs: Any) -> dict[str, Any]:
        return {"text": f"{inputs['greeting']} {inputs['name']}"}


class Scaler:
    """A plain class: what its constructor names is a setting."""

    def __init__(self, factor: int) -> None:
        self.factor = factor

    def run(self, value: int) -> dict[str, int]:
        return {"value": value * self.factor}


def ran(workflow: WorkflowBuilder, **inputs: Any) -> Any:
    return LocalRuntime().execute(workflow, inputs)[0]


def test_all_forms_of_adding_a_node() -> None:
    workflow = WorkflowBuilder()
    ids = [
        workflow.add_node("ShoutingNode", "a", {"text": "x"}),
        workflow.add_node("ShoutingNode", "b", text="x"),
        workflow.add_node("ShoutingNode", "c", {"text": "x"}, times=2),
        workflow.add_node("ShoutingNode", {"text": "x"}),
        workflow.add_node("ShoutingNode", text="y"),
        workflow.add_node(node_type="ShoutingNode", node_id="d", config={"text": "x"}),
        workflow.add_node(shouting, "e", {"text": "x"}),
        workflow.add_node(Greeter, "f", {"name": "Ann"}),
        workflow.add_node(Greeter(greeting="Bye"), "g", {"name": "Ann"}),
        workflow.add_node(Scaler, "h", {"factor": 3, "value": 2}),
        workflow.add_node(Scaler(4), "i", {"value": 2}),
        workflow.add_node(lambda: {"x": 1}, "j"),
    ]

    assert ids == ["a", "b", "c", "shouting", "shouting_2", "d", "e", "f", "g", "h", "i", "j"]
    assert ran(workflow) == {
        "a": {"text": "X"}, "b": {"text": "X"}, "c": {"text": "XX"}, "shouting": {"text": "X"},
        "shouting_2": {"text": "Y"}, "d": {"text": "X"}, "e": {"text": "X"}, "f": {"text": "Hello Ann"},
        "g": {"text": "Bye Ann"}, "h": {"value": 6}, "i": {"value": 8}, "j": {"x": 1},
    }  # fmt: skip


def test_nodes_are_connected_by_dotted_paths_mappings_and_workflow_inputs() -> None:
    workflow = WorkflowBuilder()
    workflow.add_node("TransformNode", "source", {"user": {"names": ["ann", "bob"]}})
    workflow.add_node("ShoutingNode", "a")
    workflow.add_node("ShoutingNode", "b")
    workflow.add_node("ShoutingNode", "c")
    workflow.add_connection("source", "user.names[1]", "a", "text")
    workflow.connect("a", "b", mapping={"text": "text"})
    workflow.connect("b", "c")
    workflow.add_workflow_inputs("c", {"said": "text"})

    built = workflow.build()

    assert LocalRuntime().execute(built, {"said": "z"})[0]["b"] == {"text": "BOB"}
    assert built.get_execution_order() == ["source", "a", "b", "c"]


def test_every_problem_is_listed_at_once() -> None:
    registry = NodeRegistry()
    registry.add(NoModels())
    workflow = WorkflowBuilder(registry=registry)
    workflow.add_node("TransformNod", "typo")
    workflow.add_node(shouting, "twice", {"text": "x"})
    workflow.add_node(shouting, "twice", {"text": "x"})
    workflow.add_node(shouting, "wrong", {"text": 5, "tims": 2})
    workflow.add_node(shouting, "lost", {"text": "$wrnog.text"})
    workflow.add_node("ConditionalNode", "if", {"condition": "import os"})
    workflow.add_node("PythonCodeNode", "code", {"code": "def"})
    workflow.add_connection("ghost", "x", "wrong", "text")
    workflow.create_cycle("c").connect("wrong", "lost", mapping={"text": "text"}).build()

    with pytest.raises(WorkflowValidationError) as caught:
        workflow.build()

    assert {(problem.field, problem.code) for problem in caught.value.problems} == {
        ("typo", "unknown_node_type"), ("twice", "duplicate_id"), ("wrong.text", "wrong_type"),
        ("wrong.tims", "unknown_field"), ("lost.text", "unknown_reference"), ("if.condition", "invalid_expression"),
        ("code", "node_configuration"), ("ghost", "unknown_node"), ("c", "endless_cycle"),
    }  # fmt: skip
    assert "'TransformNode'" in str(caught.value)
    assert "'wrong'" in str(caught.value)


class NoModels:
    """A provider of nothing: with it, the registry is complete."""

    name = "main"

    def node_type(self, name: str) -> NodeType | None:
        return NodeType(name=name, run=lambda values, scope: {"db": self.name}) if name == "RowReadNode" else None

    def node_names(self) -> list[str]:
        return ["RowReadNode"]


def test_a_node_type_may_come_after_the_workflow_that_uses_it() -> None:
    registry = NodeRegistry()
    workflow = WorkflowBuilder(registry=registry)
    workflow.add_node("RowReadNode", "row")
    built = workflow.build()
    with pytest.raises(WorkflowValidationError, match="RowReadNode"):
        LocalRuntime().execute(built)

    registry.add(NoModels())

    assert LocalRuntime().execute(built)[0] == {"row": {"db": "main"}}


def test_of_two_databases_the_latest_answers_unless_one_is_named() -> None:
    registry = NodeRegistry()
    first, second = NoModels(), NoModels()
    second.name = "second"
    registry.add(first)
    registry.add(second)
    workflow = WorkflowBuilder(registry=registry)
    workflow.add_node("RowReadNode", "latest")
    workflow.add_node("RowReadNode", "named", {"db_instance": "main"})
    workflow.add_node("RowReadNode", "given", {"db_instance": second})

    assert ran(workflow) == {"latest": {"db": "second"}, "named": {"db": "main"}, "given": {"db": "second"}}

    registry.withdraw(second)
    again = WorkflowBuilder(registry=registry)
    again.add_node("RowReadNode", "latest")
    assert ran(again) == {"latest": {"db": "main"}}


@pytest.mark.parametrize(
    "add",
    [
        lambda workflow: workflow.add_node("X", "x", on_error="ignore"),
        lambda workflow: workflow.add_node("X", "x", timeout=0),
        lambda workflow: workflow.add_node("X", "x", retry="often"),
        lambda workflow: workflow.add_node("X", "x", retry={"attempt": 3}),
        lambda workflow: workflow.add_node("X", "x", retry=0),
        lambda workflow: workflow.add_workflow_inputs("ghost", {"a": "b"}),
        lambda workflow: workflow.create_cycle("c").max_iterations(0),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(add: Any) -> None:
    with pytest.raises(ConfigurationError):
        add(WorkflowBuilder())


def test_the_inputs_of_a_workflow_are_a_json_schema() -> None:
    workflow = WorkflowBuilder()
    workflow.add_node("ShoutingNode", "a", {"text": "{{said}}", "times": "${times}"})
    workflow.add_node("ShoutingNode", "b")
    workflow.add_node("ShoutingNode", "c", {"text": "$input.who says {{what}}"})

    assert workflow.build().inputs == {
        "type": "object",
        "properties": {
            "said": {"type": "string"},
            "times": {"type": "integer", "default": 1},
            "who": {},
            "what": {},
            "text": {"type": "string"},
        },
        "required": ["said", "text", "what", "who"],
        "additionalProperties": False,
    }


def whole() -> Workflow:
    inner = WorkflowBuilder("inner")
    inner.add_node("ShoutingNode", "shout", {"text": "{{text}}"})
    workflow = WorkflowBuilder("outer", "All there is.")
    workflow.add_node(
        "ShoutingNode", "a", {"text": "{{said}}"}, retry=RetryPolicy(attempts=2), timeout=5, on_error="continue"
    )
    workflow.add_workflow("inside", inner, {"text": "$a.text"})
    workflow.add_node("ConditionalNode", "if", {"condition": "$a.text == 'X'", "true_branch": "then"})
    workflow.add_node("TransformNode", "then", {"pair": (1, 2), "deep": {"$literal": "odd"}})
    workflow.add_node("ShoutingNode", "turn", {"text": "t"})
    workflow.add_connection("a", "text", "then", "x")
    workflow.create_cycle("c").connect("turn", "turn", mapping={"text": "text"}).max_iterations(2).build()
    return workflow.build()


def test_a_workflow_is_the_same_after_being_written_and_read() -> None:
    first = whole()

    again = Workflow.from_json(first.to_json())
    through_builder = WorkflowBuilder.from_dict(first.to_dict()).build()

    assert again.to_dict() == first.to_dict() == through_builder.to_dict()
    assert LocalRuntime().execute(again, {"said": "x"})[0] == LocalRuntime().execute(first, {"said": "x"})[0]
    assert again.fingerprint != ""


def test_the_seeds_form_of_a_dictionary_is_read() -> None:
    workflow = WorkflowBuilder.from_dict(
        {
            "nodes": [
                {"id": "a", "type": "ShoutingNode", "config": {"text": "x"}},
                {"id": "b", "type": "ShoutingNode"},
            ],
            "connections": [{"from_node": "a", "from_output": "text", "to_node": "b", "to_input": "text"}],
        }
    )

    assert ran(workflow)["b"] == {"text": "X"}
    assert workflow.spec().connections == (Connection("a", "text", "b", "text"),)


@pytest.mark.parametrize(
    "written",
    [
        {"nodes": 5},
        {"nodes": [{"id": "a"}]},
        {"nodes": [{"id": "a", "type": "ShoutingNode", "confg": {}}]},
        {"nodes": [{"id": "a", "type": "ShoutingNode", "on_error": "x"}]},
        {"nods": []},
        {"version": 99, "nodes": []},
        {"nodes": [5]},
    ],
)
def test_a_dictionary_that_is_no_workflow_is_refused(written: dict[str, Any]) -> None:
    with pytest.raises(WorkflowValidationError):
        WorkflowBuilder.from_dict(written)


def test_a_function_that_is_not_registered_cannot_be_written_down() -> None:
    workflow = WorkflowBuilder()
    workflow.add_node(lambda: {"x": 1}, "it")

    with pytest.raises(WorkflowValidationError, match="register it"):
        workflow.build().to_dict()


def test_a_workflow_can_be_drawn() -> None:
    picture = whole().to_mermaid()

    assert picture.startswith("flowchart TD\n")
    assert 'n0 -- "text" --> n1' in picture or 'n0 -- "text"' in picture
    assert '-. "true#95;branch" .->' in picture or '-. "true_branch" .->' in picture


def test_text_in_a_picture_cannot_leave_its_label() -> None:
    workflow = WorkflowBuilder()
    workflow.add_node("TransformNode", 'x"]; click n0 "javascript:alert(1)"', {})

    assert '"]; click' not in workflow.build().to_mermaid()


def test_yaml_says_the_same_as_json() -> None:
    assert yaml.safe_load(whole().to_yaml()) == whole().to_dict()


def test_names_that_came_with_a_request_are_names_like_others() -> None:
    def keep(**given: str) -> dict[str, object]:
        return {"given": given}

    def written(given: dict[str, str], name: str) -> Workflow:
        builder = WorkflowBuilder()
        builder.add_node(keep, name, {**given})
        builder.add_connection(name, "given", builder.add_node(keep, "then"), name)
        return builder.build()

    plain, marked = written({"a": "x"}, "first"), written(literal({"a": "x"}), literal("first"))

    assert marked.fingerprint == plain.fingerprint
    assert {type(name) for name in marked.spec.steps[0].config} == {str}
