"""Rules of style that a machine can hold: words that say nothing, and who may yield."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path

EMPTY_WORDS = {"Manager", "Helper", "Util", "Utils", "Handler", "Processor", "Enhanced", "Advanced", "Unified",
               "Enterprise", "New", "V2", "Data", "Info", "Obj"}  # fmt: skip
ASKERS = {"effects.py", "walk.py"}  # where effects are asked for; everywhere else a plan says `yield from`


def _words(name: str) -> list[str]:
    return re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*", name)


def _is_plan(function: ast.FunctionDef) -> bool:
    """Whether the annotation says that this generator is a plan: ``DataPlan[Row]``, ``Plan[E, T]``."""
    answer = function.returns
    if not isinstance(answer, ast.Subscript):
        return False
    name = answer.value.attr if isinstance(answer.value, ast.Attribute) else getattr(answer.value, "id", "")
    return name.endswith("Plan")


def _classes(trees: Mapping[Path, ast.Module]) -> list[tuple[Path, str]]:
    return [
        (path, node.name) for path, tree in trees.items() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
    ]


def test_a_class_is_named_for_what_it_is(trees: Mapping[Path, ast.Module]) -> None:
    # `DataFlow` and what begins with it is the product's own name.
    vague = [
        f"{path}: {name}"
        for path, name in _classes(trees)
        if EMPTY_WORDS & set(_words(name.replace("DataFlow", "Dataflow")))
    ]

    assert vague == []


def test_a_base_is_at_the_base(trees: Mapping[Path, ast.Module]) -> None:
    misplaced = [
        f"{path}: {name}" for path, name in _classes(trees) if name.startswith("Base") and path.name != "base.py"
    ]

    assert misplaced == []


def test_only_effect_helpers_yield(trees: Mapping[Path, ast.Module]) -> None:
    plans = [
        (path, node)
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and _is_plan(node) and path.name not in ASKERS
    ]
    bare = [
        f"{path}:{node.lineno}: {plan.name}"
        for path, plan in plans
        for node in ast.walk(plan)
        if isinstance(node, ast.Yield)
    ]

    assert bare == []


def test_a_module_says_what_it_holds(trees: Mapping[Path, ast.Module]) -> None:
    silent = [str(path) for path, tree in trees.items() if tree.body and not ast.get_docstring(tree)]

    assert silent == []
