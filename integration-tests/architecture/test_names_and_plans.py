"""Rules of style that a machine can hold: words that say nothing, and who may yield."""

from __future__ import annotations

import ast
import re
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


def test_a_class_is_named_for_what_it_is(tree: ast.Module, source: Path) -> None:
    classes = [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    # `DataFlow` and what begins with it is the product's own name.
    vague = [name for name in classes if EMPTY_WORDS & set(_words(name.replace("DataFlow", "Dataflow")))]
    bases = [name for name in classes if name.startswith("Base") and source.name != "base.py"]

    assert vague + bases == []


def test_only_effect_helpers_yield(tree: ast.Module, source: Path) -> None:
    plans = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and _is_plan(node)]
    bare = [
        f"{plan.name}, line {node.lineno}"
        for plan in plans
        for node in ast.walk(plan)
        if isinstance(node, ast.Yield) and source.name not in ASKERS
    ]

    assert bare == []


def test_a_module_says_what_it_holds(tree: ast.Module) -> None:
    assert not tree.body or ast.get_docstring(tree)
