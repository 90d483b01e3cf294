"""Statements that are built late: on the first use of their shape, which is when SQLAlchemy is imported."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Executable


def statement(name: str, *arguments: Any, **switches: bool) -> Callable[[], Executable]:
    """Return a function that builds the statement *name* of `dataflow.operations.statements`."""
    return partial(_build, name, arguments, switches)


def _build(name: str, arguments: tuple[Any, ...], switches: dict[str, bool]) -> Executable:
    built: Executable = getattr(import_module("dataflow.operations.statements"), name)(*arguments, **switches)
    return built
