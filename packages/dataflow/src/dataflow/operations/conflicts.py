"""What becomes of a change to a record that is not of the version its caller knows: nothing, and an error."""

from __future__ import annotations

from dataflow.effects import DataPlan
from dataflow.errors import VersionConflictError
from dataflow.model.registry import Model
from dataflow.model.spec import VERSION
from dataflow.operations import values as ops
from dataflow.operations.chosen import counted
from kailash.conditions import Test, Where


def expected(operation: ops.Update | ops.Delete) -> Where:
    """Return which records may change: with a version, those of it alone."""
    if operation.version is None:
        return operation.where
    return operation.where & Test(VERSION, "eq", operation.version)


def refuse(operation: ops.Update | ops.Delete, model: Model) -> DataPlan[None]:
    """Say why nothing was found: nothing where there is no such record. Raises: VersionConflictError."""
    there = operation.where & Test("id", "eq", operation.id)
    if (yield from counted(there, model)):
        raise VersionConflictError(
            f"this {model.name} is no longer of version {operation.version}", hint="read it again, and change that"
        )
