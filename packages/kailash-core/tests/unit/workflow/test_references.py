"""References: three spellings, one meaning; and data, which is never read as a template."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kailash
from kailash import Context, LocalRuntime, WorkflowBuilder, node
from kailash.errors import NodeValidationError, WorkflowExecutionError, WorkflowValidationError


@node(effect="pure")
def keep(value: Any = "default") -> dict[str, Any]:
    return {"value": value}


@node(effect="pure")
def offer(value: Any) -> dict[str, Any]:
    return {"value": value, "items": [{"price": 3}, {"price": 4}], "name": "Ann", "none": None}


def bound(written: Any, inputs: dict[str, Any] | None = None, **context: Any) -> Any:
    """What *written* is worth as an input, beside a node named ``order``."""
    workflow = WorkflowBuilder()
    workflow.add_node("OfferNode", "order", {"value": 7})
    workflow.add_node("KeepNode", "it", {"value": written})
    results, _ = LocalRuntime().execute(workflow, inputs, context=Context(**context))
    return results["it"]["value"]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("$order.value", 7),
        ("$order.items[1].price", 4),
        ("$order.items.0.price", 3),
        ("$order['name']", "Ann"),
        ("{{email}}", "a@b.c"),
        ("{{ email }}", "a@b.c"),
        ("${email}", "a@b.c"),
        ("$input.email", "a@b.c"),
        ("{{person.name}}", "Bob"),
        ("Dear {{email}}: $order.value.", "Dear a@b.c: 7."),
        ("$order.value$order.value", "77"),
        ("$order.none!", "!"),
        ("all: $order.items", 'all: [{"price":3},{"price":4}]'),
        ("$$order.value costs $5, $ and $x", "$order.value costs $5, $ and $x"),
        ({"a": ["$order.value", {"b": "{{email}}"}]}, {"a": [7, {"b": "a@b.c"}]}),
        ({"$inc": "$order.value"}, {"$inc": 7}),
        ({"$order.value": 1}, {"$order.value": 1}),
        ({"$coalesce": ["{{missing}}", "$order.none", "$order.nothing", 5]}, 5),
        ({"$coalesce": ["{{missing}}", "{{email}}"]}, "a@b.c"),
        ("$context.tenant", "acme"),
        ("{{missing}}", "default"),
        ("hello {{missing}}", "default"),
        (["{{email}}"], ["a@b.c"]),
        (("$order.value",), (7,)),
        ("{{not a name}}", "{{not a name}}"),
    ],
)
def test_a_reference_has_its_value(written: Any, expected: Any) -> None:
    given = {"email": "a@b.c", "person": {"name": "Bob"}}
    workflow_inputs = {name: value for name, value in given.items() if name in str(written)}

    assert bound(written, workflow_inputs, tenant="acme") == expected


def test_the_whole_output_of_a_node_can_be_referred_to() -> None:
    assert bound("$order")["name"] == "Ann"


def test_a_node_whose_name_has_dashes_can_be_referred_to() -> None:
    workflow = WorkflowBuilder()
    workflow.add_node("OfferNode", "my-order", {"value": 7})
    workflow.add_node("KeepNode", "it", {"value": "$my-order.value-x"})

    assert LocalRuntime().execute(workflow)[0]["it"]["value"] == "7-x"


def test_an_unknown_node_is_an_error_when_the_workflow_is_built() -> None:
    workflow = WorkflowBuilder()
    workflow.add_node("OfferNode", "order", {"value": 7})
    workflow.add_node("KeepNode", "it", {"value": "$ordr.value"})

    with pytest.raises(WorkflowValidationError, match="'order'"):
        workflow.build()


def test_an_output_that_is_not_there_is_an_error_that_names_it() -> None:
    with pytest.raises(WorkflowExecutionError, match="valu") as caught:
        bound("$order.valu")

    assert caught.value.node_id == "it"
    assert caught.value.code == "missing_path"


def test_a_missing_value_inside_an_object_is_an_error_and_not_a_smaller_object() -> None:
    with pytest.raises(NodeValidationError, match="owner"):
        bound({"owner": "{{owner}}"})


def test_a_missing_input_of_a_required_parameter_is_named_before_anything_runs() -> None:
    workflow = WorkflowBuilder()
    workflow.add_node("OfferNode", "order", {"value": "{{amount}}"})

    with pytest.raises(NodeValidationError, match="amount") as caught:
        LocalRuntime().execute(workflow)

    assert [problem.field for problem in caught.value.problems] == ["amount"]


SPELLINGS = ["$order.value", "$order", "{{email}}", "${email}", "$input.email", "$context.tenant", "$$", "$ghost.x",
             "x {{email}} $order.value $$", "{{", "${", "$", "{{email", "$order.items[0].price"]  # fmt: skip


@pytest.mark.parametrize("text", SPELLINGS)
def test_data_is_never_read_as_a_template(text: str) -> None:
    """Neither as an input, nor from a node, nor as text that the author marked as data."""
    workflow = WorkflowBuilder()
    workflow.add_node("OfferNode", "order", {"value": "{{raw}}"})
    workflow.add_node("KeepNode", "passed", {"value": "$order.value"})
    workflow.add_node("KeepNode", "marked", {"value": kailash.literal(text)})
    workflow.add_node("KeepNode", "nested", {"value": kailash.literal({"a": [text], text: 1})})
    workflow.add_node("KeepNode", "joined", {"value": "Dear " + kailash.Literal(text)})
    workflow.add_node("KeepNode", "formatted", {"value": f"{kailash.Literal(text)}"})

    results, _ = LocalRuntime().execute(workflow, {"raw": text})

    assert results["passed"] == {"value": text}
    assert results["marked"] == {"value": text}
    assert results["nested"] == {"value": {"a": [text], text: 1}}
    assert results["joined"] == {"value": f"Dear {text}"}
    assert results["formatted"] == {"value": text}


def test_an_operator_in_data_stays_data() -> None:
    assert bound(kailash.literal({"$coalesce": ["$order.value", 1]})) == {"$coalesce": ["$order.value", 1]}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(alphabet="$ab{}.[]0order value", max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet="$ab{}", max_size=4), inner, max_size=3)
        ),
        max_leaves=6,
    )
)
def test_what_is_marked_as_data_arrives_as_it_was(value: Any) -> None:
    assert bound(kailash.literal(value)) == value


def test_a_node_that_changes_what_it_was_given_does_not_change_the_workflow() -> None:
    @node
    def spoil_list(items: list[Any], deep: dict[str, Any]) -> dict[str, Any]:
        items.append(1)
        deep["a"].append(1)
        return {"count": len(items) + len(deep["a"])}

    workflow = WorkflowBuilder()
    workflow.add_node(spoil_list, "it", {"items": [], "deep": {"a": []}})
    built = workflow.build()

    assert [LocalRuntime().execute(built)[0]["it"]["count"] for _ in range(2)] == [2, 2]
