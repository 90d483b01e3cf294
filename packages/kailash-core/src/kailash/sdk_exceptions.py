"""Where older programs import the errors of workflows from; they are those of `kailash.errors`."""

from __future__ import annotations

from kailash.errors import (
    NodeConfigurationError,
    NodeExecutionError,
    NodeValidationError,
    RuntimeExecutionError,
    WorkflowExecutionError,
    WorkflowValidationError,
)

__all__ = [
    "NodeConfigurationError",
    "NodeExecutionError",
    "NodeValidationError",
    "RuntimeExecutionError",
    "WorkflowExecutionError",
    "WorkflowValidationError",
]
