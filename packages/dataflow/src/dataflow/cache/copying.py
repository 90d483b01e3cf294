"""Copies of outcomes, as deep as they can be changed."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any, TypeAlias

from dataflow.model.spec import ModelSpec
from dataflow.operations.values import Listing

Copy: TypeAlias = Callable[[Any], Any]


def copier(spec: ModelSpec) -> Copy:
    """Return a function that copies the outcome of any read of *spec*."""
    deep = [field.name for field in spec.fields if field.python_type in (dict, list)]

    def record(given: dict[str, Any]) -> dict[str, Any]:
        made = given.copy()
        for name in deep:
            if name in made:
                made[name] = deepcopy(made[name])
        return made

    def copied(outcome: Any) -> Any:
        if isinstance(outcome, Listing):
            return Listing([record(each) for each in outcome.records], outcome.next, outcome.total)
        if isinstance(outcome, list):
            return [record(each) for each in outcome]
        return record(outcome) if isinstance(outcome, dict) else outcome

    return copied
