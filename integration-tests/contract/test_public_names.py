"""The names that programs import. They stay; this list only grows."""

from __future__ import annotations

import importlib

import pytest

NAMES = [
    "dataflow.DataFlow",
    "dataflow.DataFlowError",
    "dataflow.ForeignKey",
    "kailash.AsyncLocalRuntime",
    "kailash.KailashError",
    "kailash.LocalRuntime",
    "kailash.WorkflowBuilder",
    "kailash.capability.Capability",
    "kailash.capability.Catalogue",
    "kailash.conditions.matches",
    "kailash.conditions.parse",
    "kailash.errors.KailashError",
    "kailash.errors.Kind",
    "kailash.nodes.base.Node",
    "kailash.nodes.base.NodeParameter",
    "kailash.nodes.base.NodeRegistry",
    "kailash.nodes.base.register_node",
    "kailash.nodes.base_async.AsyncNode",
    "kailash.plan.adrive",
    "kailash.plan.drive",
    "kailash.runtime.AsyncLocalRuntime",
    "kailash.runtime.LocalRuntime",
    "kailash.runtime.async_local.AsyncLocalRuntime",
    "kailash.runtime.local.LocalRuntime",
    "kailash.sdk_exceptions.NodeExecutionError",
    "kailash.shapes.Shape",
    "kailash.workflow.builder.WorkflowBuilder",
    "nexus.Nexus",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_is_there(name: str) -> None:
    module, _, attribute = name.rpartition(".")

    assert hasattr(importlib.import_module(module), attribute)
