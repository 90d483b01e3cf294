"""The names that programs import; they stay, and this list only grows. And those that the distributions share."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import pytest

from kailash.errors import NotAvailableError

OURS = ("kailash", "dataflow", "nexus")

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


def modules(package: str) -> Iterator[str]:
    """Yield the names of all modules of an installed package, but those that begin a program."""
    for found in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        if not found.name.endswith("__main__"):
            yield found.name


def lacking(module: str) -> str:
    """Return what this module imports of ours and does not find; nothing where only an extra is not installed."""
    try:
        importlib.import_module(module)
    except ImportError as fault:
        return f"{module}: {fault}" if (fault.name or "").partition(".")[0] in OURS else ""
    except NotAvailableError:
        return ""
    return ""


@pytest.mark.parametrize("package", OURS)
def test_what_a_distribution_uses_of_the_core_is_there(package: str) -> None:
    """A distribution that uses a name of a later core must not declare that it works with an older one."""
    assert [said for module in modules(package) if (said := lacking(module))] == []
