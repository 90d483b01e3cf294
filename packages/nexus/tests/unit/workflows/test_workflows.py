"""Workflows that an application registers, whichever way."""

from __future__ import annotations

from typing import Any

import pytest

from kailash import Context, Literal, WorkflowBuilder, literal
from kailash.capability import Nature
from kailash.errors import (
    ConfigurationError,
    InvalidInputError,
    NodeValidationError,
    NoSuchCapabilityError,
    WorkflowExecutionError,
    WorkflowValidationError,
)
from kailash.nodes.base import node
from nexus import Nexus
from nexus.call import Call
from nexus.testing import notes_provider


def greet(name: str, greeting: str = "Hello") -> dict[str, Any]:
    return {"text": f"{greeting} {name}"}


def greeting() -> WorkflowBuilder:
    builder = WorkflowBuilder("greeting", "Greet somebody.")
    builder.add_node(greet, "greet", {"name": "{{name}}"})
    return builder


@pytest.fixture
def app() -> Nexus:
    return Nexus(enable_durability=False)


async def asked(app: Nexus, name: str, /, **inputs: Any) -> Any:
    outcome = await app.answer(Call("rest", name, inputs))
    if outcome.error is not None:
        raise outcome.error
    return outcome.value


@pytest.mark.parametrize("given", [greeting(), greeting().build()], ids=["builder", "workflow"])
async def test_a_registered_workflow_answers(app: Nexus, given: Any) -> None:
    app.register("greet", given)

    value = await asked(app, "greet", name="Ada")

    assert value["outputs"] == {"greet": {"text": "Hello Ada"}}
    assert value["workflow_id"] == "greet"
    assert len(value["run_id"]) == 32


async def test_inputs_may_be_given_by_node(app: Nexus) -> None:
    app.register("greet", greeting())

    value = await asked(app, "greet", name="Ada", greet={"greeting": "Hi"})

    assert value["outputs"]["greet"]["text"] == "Hi Ada"


async def test_unknown_and_missing_inputs_are_named(app: Nexus) -> None:
    app.register("greet", greeting())

    with pytest.raises(NodeValidationError, match=r"'nmae'.*did you mean 'name'") as refused:
        await asked(app, "greet", nmae="Ada")

    assert [problem.field for problem in refused.value.problems] == ["nmae"]


async def test_a_builder_may_name_nodes_that_come_later(app: Nexus) -> None:
    builder = WorkflowBuilder()
    builder.add_node("TestComesLaterNode", "late", {"number": "{{number}}"})
    app.register("late", builder)

    (capability,) = app.catalogue.values()
    assert capability.inputs.schema()["type"] == "object"
    with pytest.raises(WorkflowValidationError, match="TestComesLaterNode"):
        await asked(app, "late", number=2)

    @node(name="TestComesLaterNode", effect="reads")
    def double(number: int) -> dict[str, int]:
        return {"double": number * 2}

    assert (await asked(app, "late", number=2))["outputs"] == {"late": {"double": 4}}
    assert capability.inputs.schema()["required"] == ["number"]


def test_a_builder_that_no_model_can_mend_is_refused_at_once(app: Nexus) -> None:
    builder = WorkflowBuilder()
    builder.add_node(greet, "greet", {"name": "$nobody.name"})

    with pytest.raises(WorkflowValidationError, match="nobody"):
        app.register("greet", builder)


async def test_a_builder_can_be_used_on(app: Nexus) -> None:
    builder = greeting()
    app.register("greet", builder)
    builder.add_node(greet, "second", {"name": "x"})

    assert set((await asked(app, "greet", name="Ada"))["outputs"]) == {"greet"}


async def test_a_function_builds_a_workflow_for_each_request(app: Nexus) -> None:
    seen: list[type] = []

    @app.workflow("many")
    def many(names: list[str], loud: bool = False) -> WorkflowBuilder:
        """Greet everybody."""
        builder = WorkflowBuilder()
        for index, name in enumerate(names):
            seen.append(type(name))
            builder.add_node(greet, f"greet_{index}", {"name": name, "greeting": "HI" if loud else "Hi"})
        return builder

    value = await asked(app, "many", names=["$greet_0.text", "{{x}}"], loud=True)

    assert [each["text"] for each in value["outputs"].values()] == ["HI $greet_0.text", "HI {{x}}"]
    assert set(seen) == {Literal}
    (capability,) = app.catalogue.values()
    assert capability.summary == "Greet everybody."
    assert capability.inputs.schema()["required"] == ["names"]


async def test_the_inputs_of_a_function_are_checked_all_at_once(app: Nexus) -> None:
    @app.workflow("many")
    def many(names: list[str], count: int) -> WorkflowBuilder:
        return greeting()

    with pytest.raises(InvalidInputError) as refused:
        await asked(app, "many", nams=["a"], count="5")

    assert [(each.field, each.code) for each in refused.value.problems] == [
        ("nams", "unknown_field"),
        ("count", "wrong_type"),
        ("names", "missing"),
    ]


async def test_a_function_may_ask_for_the_context(app: Nexus) -> None:
    @app.workflow("who")
    def who(context: Context) -> WorkflowBuilder:
        builder = WorkflowBuilder()
        builder.add_node(greet, "greet", {"name": context.channel})
        return builder

    assert (await asked(app, "who"))["outputs"]["greet"]["text"] == "Hello rest"


async def test_a_function_that_returns_no_workflow_says_so(app: Nexus) -> None:
    @app.workflow("nothing")
    def nothing() -> None:
        return None

    with pytest.raises(WorkflowValidationError, match="'nothing' returned nothing"):
        await asked(app, "nothing")


def test_a_coroutine_function_cannot_build_a_workflow(app: Nexus) -> None:
    with pytest.raises(WorkflowValidationError, match="coroutine"):

        @app.workflow("later")
        async def later() -> WorkflowBuilder:
            return greeting()


async def test_a_handler_is_a_workflow_of_one_node(app: Nexus) -> None:
    @app.handler("add", description="Add two numbers.")
    def add(first: int, second: int = 1) -> int:
        return first + second

    @app.handler("nothing")
    async def nothing() -> dict[str, Any]:
        return {"done": True}

    assert (await asked(app, "add", first=2))["outputs"] == {"add": {"result": 3}}
    assert (await asked(app, "add", first=2, second=5))["outputs"] == {"add": {"result": 7}}
    assert (await asked(app, "nothing"))["outputs"] == {"nothing": {"done": True}}
    assert app.catalogue["add"].summary == "Add two numbers."
    assert set(app.catalogue["add"].inputs.schema()["properties"]) == {"first", "second"}


async def test_a_wrong_type_is_refused_with_the_kind_of_its_cause(app: Nexus) -> None:
    @app.handler("add")
    def add(first: int) -> int:
        return first

    with pytest.raises(WorkflowExecutionError) as failed:
        await asked(app, "add", first="x")

    assert failed.value.kind.value == "invalid"


def test_a_name_is_taken_once_and_the_same_again_changes_nothing(app: Nexus) -> None:
    app.register("greet", greeting())
    app.register("greet", greeting())

    with pytest.raises(ConfigurationError, match="another workflow is named 'greet'"):
        app.register("greet", WorkflowBuilder())
    with pytest.raises(ConfigurationError, match="cannot name a workflow"):
        app.register("a/b", greeting())


def test_what_is_no_workflow_cannot_be_registered(app: Nexus) -> None:
    with pytest.raises(WorkflowValidationError, match="str is no workflow"):
        app.register("greet", "greeting")


async def test_a_workflow_is_withdrawn(app: Nexus) -> None:
    app.register("greet", greeting())
    app.deregister("greet")

    with pytest.raises(NoSuchCapabilityError):
        await asked(app, "greet", name="Ada")
    with pytest.raises(NoSuchCapabilityError, match="no workflow is named 'greet'"):
        app.deregister("greet")


def test_a_workflow_runs_in_blocking_code(app: Nexus) -> None:
    app.register("greet", greeting())

    assert app.execute_workflow(greeting(), {"name": "Ada"}) == {"greet": {"text": "Hello Ada"}}
    assert app.execute_workflow("greet", {"name": "Eve"}) == {"greet": {"text": "Hello Eve"}}
    with pytest.raises(NoSuchCapabilityError, match="did you mean 'greet'"):
        app.execute_workflow("gret")


def test_marked_inputs_arrive_as_plain_text(app: Nexus) -> None:
    app.register("greet", greeting())
    marked = literal({"name": "{{x}}"})

    for given in ("greet", greeting()):
        text = app.execute_workflow(given, marked)["greet"]["text"]
        assert (text, type(text)) == ("Hello {{x}}", str)


async def test_a_workflow_is_awaited_under_a_loop(app: Nexus) -> None:
    outputs = await app.execute_workflow(greeting().build(), {"name": "Ada"})

    assert outputs == {"greet": {"text": "Hello Ada"}}
    assert len(outputs.run_id) == 32


def test_a_workflow_that_only_reads_is_offered_as_such(app: Nexus) -> None:
    @node(name="TestLooksNode", effect="reads")
    def look() -> dict[str, int]:
        return {"seen": 1}

    reading, writing = WorkflowBuilder(), WorkflowBuilder()
    reading.add_node("TestLooksNode", "look")
    writing.add_node(greet, "greet", {"name": "x"})
    app.register("reading", reading)
    app.register("writing", writing)

    assert (app.catalogue["reading"].nature, app.catalogue["writing"].nature) == (Nature.READ, Nature.WRITE)


def test_workflows_stand_beside_models() -> None:
    app = Nexus(dataflow_integration=notes_provider())
    app.register("greet", greeting())

    assert {"greet", "notes.list"} <= set(app.catalogue_of("cli"))
