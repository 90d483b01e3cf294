"""Statements that are built late: on the first use of their shape, which is when SQLAlchemy is imported."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from kailash._lazy import Late

if TYPE_CHECKING:
    from sqlalchemy import Executable

    from dataflow.operations import statements
else:
    statements = Late("dataflow.operations.statements")


def statement(name: str, *arguments: Any, **switches: bool) -> Callable[[], Executable]:
    """Return a function that builds the statement *name* of `dataflow.operations.statements`."""
    return partial(_build, name, arguments, switches)


def _build(name: str, arguments: tuple[Any, ...], switches: dict[str, bool]) -> Executable:
    built: Executable = getattr(statements, name)(*arguments, **switches)
    return built
