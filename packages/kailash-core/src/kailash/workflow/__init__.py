"""Workflows: how they are written, checked, compiled and walked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kailash._lazy import exports

if TYPE_CHECKING:
    from kailash.workflow.builder import WorkflowBuilder
    from kailash.workflow.graph import Connection, Workflow, WorkflowWarning
    from kailash.workflow.references import Literal, literal
    from kailash.workflow.retry import RetryPolicy

__all__ = ["Connection", "Literal", "RetryPolicy", "Workflow", "WorkflowBuilder", "WorkflowWarning", "literal"]

__getattr__, __dir__ = exports(
    __name__,
    {
        "Connection": "kailash.workflow.graph",
        "Literal": "kailash.workflow.references",
        "RetryPolicy": "kailash.workflow.retry",
        "Workflow": "kailash.workflow.graph",
        "WorkflowBuilder": "kailash.workflow.builder",
        "WorkflowWarning": "kailash.workflow.graph",
        "literal": "kailash.workflow.references",
    },
)
