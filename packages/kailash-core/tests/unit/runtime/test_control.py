"""Branches, skips, switches, merges, loops, nesting, cycles: in both runtimes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from kailash import WorkflowBuilder, node
from kailash.errors import NodeValidationError, WorkflowExecutionError, WorkflowValidationError
from kailash.workflow.graph import WorkflowWarning

Execute = Callable[..., Any]


@node(effect="reads")
def customer_lookup(id: int) -> dict[str, Any]:
    return {"tier": "vip" if id == 1 else "standard", "id": id}


@node
def discounting(base_total: float, discount_percent: float, free_shipping: bool = False) -> dict[str, Any]:
    return {"final_total": base_total * (100 - discount_percent) / 100, "benefits": {"free_shipping": free_shipping}}


@node
def order_placing(customer_id: int, total: float, benefits_applied: Any = None) -> dict[str, Any]:
    return {"total": total, "benefits": benefits_applied}


@node(effect="pure")
async def add_one(value: int) -> dict[str, int]:
    await asyncio.sleep(0)
    return {"value": value + 1}


@node(effect="pure")
def double(value: int) -> int:
    return value * 2


def vip_order(order_data: dict[str, Any]) -> WorkflowBuilder:
    """Seed 004's process_vip_order, with its undefined nodes defined."""
    workflow = WorkflowBuilder()
    workflow.add_node("CustomerLookupNode", "customer", {"id": order_data["customer_id"]})
    workflow.add_node(
        "ConditionalNode",
        "check_vip",
        {
            "condition": "$customer.tier == 'vip'",
            "true_branch": "apply_discount",
            "false_branch": "standard_processing",
        },
    )
    workflow.add_node(
        "DiscountingNode",
        "apply_discount",
        {"base_total": order_data["total"], "discount_percent": 10, "free_shipping": True},
    )
    workflow.add_node(
        "OrderPlacingNode",
        "create_order",
        {**order_data, "total": "$apply_discount.final_total", "benefits_applied": "$apply_discount.benefits"},
    )
    return workflow


def test_the_chosen_branch_runs(execute: Execute) -> None:
    with pytest.warns(WorkflowWarning, match="standard_processing"):
        results, _ = execute(vip_order({"customer_id": 1, "total": 50.0}))

    assert results["create_order"] == {"total": 45.0, "benefits": {"free_shipping": True}}
    assert results["check_vip"]["result"] is True


def test_a_skipped_node_is_an_error_where_its_value_is_required(execute: Execute) -> None:
    with pytest.warns(WorkflowWarning), pytest.raises(WorkflowExecutionError, match="was skipped") as caught:
        execute(vip_order({"customer_id": 2, "total": 50.0}))

    assert caught.value.node_id == "create_order"
    assert "apply_discount" not in caught.value.results


def test_coalesce_takes_the_value_of_the_branch_that_ran(execute: Execute) -> None:
    workflow = WorkflowBuilder()
    workflow.add_node("ConditionalNode", "check", {"condition": False, "true_branch": "apply_discount"})
    workflow.add_node("DiscountingNode", "apply_discount", {"base_total": 50.0, "discount_percent": 10})
    total = {"$coalesce": ["$apply_discount.final_total", 50.0]}
    workflow.add_node("OrderPlacingNode", "placed", {"customer_id": 2, "total": total})

    results, _ = execute(workflow)

    assert results["placed"] == {"total": 50.0, "benefits": None}


def test_what_only_an_unchosen_port_feeds_is_skipped(execute: Execute) -> None:
    workflow = WorkflowBuilder()
    workflow.add_node(
        "SwitchNode", "switch", {"input_data": {"n": 5}, "condition_field": "n", "operator": ">", "value": 3}
    )
    for port in ("true", "false"):
        workflow.add_node("TransformNode", port)
        workflow.add_connection("switch", f"{port}_output", port, "item")
        workflow.add_node("TransformNode", f"after_{port}")
        workflow.add_connection(port, "item.n", f"after_{port}", "n")
    workflow.add_node("MergeNode", "merge", {"merge_type": "concat"})
    workflow.add_connection("after_true", "n", "merge", "data1")
    workflow.add_connection("after_false", "n", "merge", "data2")

    results, _ = execute(workflow)

    assert set(results) == {"switch", "true", "after_true", "merge"}
    assert results["merge"] == {"merged_data": [5]}


@pytest.mark.parametrize(("status", "port"), [("active", "case_active"), ("gone", "default")])
def test_a_switch_chooses_among_cases(execute: Execute, status: str, port: str) -> None:
    workflow = WorkflowBuilder()
    workflow.add_node(
        "SwitchNode",
        "switch",
        {"input_data": {"status": status}, "condition_field": "status", "cases": ["active", "new"]},
    )

    results, _ = execute(workflow)

    assert results["switch"][port] == {"status": status}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("concat", [1, 2, 3, 4]), ("zip", [[1, 3], [2, 4]])],
)
def test_lists_are_merged(execute: Execute, kind: str, expected: Any) -> None:
    workflow = WorkflowBuilder()
    workflow.add_node("MergeNode", "merge", {"data1": [1, 2], "data2": [3, 4], "merge_type": kind})

    assert execute(workflow)[0]["merge"]["merged_data"] == expected


def test_objects_are_merged(execute: Execute) -> None:
    workflow = WorkflowBuilder()
    workflow.add_node("MergeNode", "merge", {"data1": {"a": 1}, "data2": {"a": 2, "b": 3}, "merge_type": "merge_dict"})

    assert execute(workflow)[0]["merge"]["merged_data"] == {"a": 2, "b": 3}


def test_a_transform_computes_its_expressions(execute: Execute) -> None:
    workflow = WorkflowBuilder()
    workflow.add_node(
        "TransformNode", "t", {"price": 3, "quantity": "{{n}}", "expressions": {"total": "price * quantity"}}
    )

    assert execute(workflow, {"n": 4})[0]["t"] == {"price": 3, "quantity": 4, "total": 12}


def test_a_workflow_runs_inside_another(execute: Execute) -> None:
    inner = WorkflowBuilder()
    inner.add_node("AddOneNode", "add", {"value": "{{start}}"})
    inner.add_node("DoubleNode", "twice", {"value": "$add.value"})
    outer = WorkflowBuilder()
    outer.add_node("AddOneNode", "first", {"value": 1})
    outer.add_workflow("inside", inner, {"start": "$first.value"})
    outer.add_node("AddOneNode", "last", {"value": "$inside.twice.result"})

    results, _ = execute(outer)

    assert results["inside"] == {"add": {"value": 3}, "twice": {"result": 6}}
    assert results["last"] == {"value": 7}


def test_a_failure_inside_names_the_way_to_it(execute: Execute) -> None:
    inner = WorkflowBuilder()
    inner.add_node("PythonCodeNode", "boom", {"code": "raise ValueError('no')"})
    outer = WorkflowBuilder()
    outer.add_workflow("inside", inner)

    with pytest.raises(WorkflowExecutionError) as caught:
        execute(outer)

    assert caught.value.node_id == "inside.boom"
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_loop_runs_a_workflow_for_each_item(execute: Execute) -> None:
    inner = WorkflowBuilder()
    inner.add_node("AddOneNode", "add", {"value": "{{item}}"})
    outer = WorkflowBuilder()
    outer.add_node("LoopNode", "loop", {"items": "{{numbers}}", "workflow": inner.build()})

    results, _ = execute(outer, {"numbers": [1, 2, 3]})

    assert results["loop"] == {"results": [{"add": {"value": n}} for n in (2, 3, 4)], "count": 3}


def test_a_cycle_turns_until_it_converges(execute: Execute) -> None:
    workflow = WorkflowBuilder()
    workflow.add_node("AddOneNode", "step", {"value": 0})
    workflow.add_node("DoubleNode", "check", {"value": "$step.value"})
    workflow.add_node("AddOneNode", "after", {"value": "$check.result"})
    workflow.create_cycle("grow").connect("check", "step", mapping={"result": "value"}).max_iterations(
        20
    ).converge_when("result > 20").build()

    results, _ = execute(workflow)

    assert results == {"step": {"value": 15}, "check": {"result": 30}, "after": {"value": 31}}


def test_a_cycle_ends_at_its_limit(execute: Execute) -> None:
    workflow = WorkflowBuilder()
    workflow.add_node("AddOneNode", "step", {"value": 0})
    workflow.create_cycle("count").connect("step", "step", mapping={"value": "value"}).max_iterations(5).build()

    assert execute(workflow)[0] == {"step": {"value": 5}}


def test_a_cycle_that_never_converges_is_an_error(execute: Execute) -> None:
    workflow = WorkflowBuilder()
    workflow.add_node("DoubleNode", "step", {"value": 0})
    workflow.create_cycle("endless").connect("step", "step", mapping={"result": "value"}).converge_when(
        "result > 1"
    ).build()

    with pytest.raises(WorkflowExecutionError, match="did not converge in 1000 turns"):
        execute(workflow)


def test_a_cycle_that_is_not_declared_is_an_error_at_build() -> None:
    workflow = WorkflowBuilder()
    workflow.add_node("AddOneNode", "a", {"value": "$c.value"})
    workflow.add_node("AddOneNode", "b", {"value": "$a.value"})
    workflow.add_node("AddOneNode", "c", {"value": "$b.value"})

    with pytest.raises(WorkflowValidationError, match="a -> b -> c -> a"):
        workflow.build()


def test_inputs_reach_parameters_that_the_author_left_unset_and_no_others(execute: Execute) -> None:
    workflow = WorkflowBuilder()
    workflow.add_node("AddOneNode", "unset")
    workflow.add_node("AddOneNode", "set", {"value": 10})
    workflow.add_node("DoubleNode", "by_id", {"value": 1})

    results, _ = execute(workflow, parameters={"value": 1, "by_id": {"value": 50}})

    assert results == {"unset": {"value": 2}, "set": {"value": 11}, "by_id": {"result": 100}}


@pytest.mark.parametrize(
    "given", [{"valu": 1}, {"value": 1, "ghost": {}}, {}, {"unset": {"value": "x"}}, {"unset": {"x": 1}}]
)
def test_unknown_missing_and_wrong_inputs_are_refused(execute: Execute, given: dict[str, Any]) -> None:
    workflow = WorkflowBuilder()
    workflow.add_node("AddOneNode", "unset")

    with pytest.raises((NodeValidationError, WorkflowExecutionError)) as caught:
        execute(workflow, parameters=given)

    assert caught.value.problems
    assert caught.value.kind.value == "invalid"
