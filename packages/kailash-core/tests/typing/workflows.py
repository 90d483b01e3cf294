"""What a type checker knows of workflows; checked by mypy, never run."""

from __future__ import annotations

from typing import Any, assert_type

from kailash import AsyncLocalRuntime, LocalRuntime, Workflow, WorkflowBuilder, get_runtime, node


@node
def decorated(x: int) -> dict[str, int]:
    return {"x": x}


@node(effect="pure")
async def awaited(x: int) -> dict[str, int]:
    return {"x": x}


@node(effect="sometimes")  # type: ignore[call-overload, untyped-decorator]
def wrong(x: int) -> dict[str, int]:
    return {"x": x}


builder = WorkflowBuilder()
assert_type(decorated(1), dict[str, int])
assert_type(builder.add_node("X"), str)
assert_type(builder.build(), Workflow)
assert_type(LocalRuntime().execute(builder.build()), tuple[dict[str, Any], str])
assert_type(get_runtime("async"), AsyncLocalRuntime)
assert_type(get_runtime(), LocalRuntime)
builder.add_node("X", "x", {}, 5)  # type: ignore[call-arg]
