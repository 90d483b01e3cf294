"""A budget of lines, held by a machine. There are no exceptions to it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

MODULE_LINES = 500
FUNCTION_LINES = 50  # without the docstring; aim at 8
PARAMETERS = 7

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _functions(tree: ast.Module) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def _lines(function: Function) -> int:
    """Count the lines from ``def`` to the end, the docstring apart."""
    total = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        total -= (first.end_lineno or first.lineno) - first.lineno + 1
    return total


def _parameters(function: Function) -> int:
    """Count the parameters that a caller can give; the receiver of a method is none."""
    given = function.args
    names = [
        each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg) if each
    ]
    return len(names) - (1 if names and names[0] in {"self", "cls"} else 0)


def test_a_module_fits_on_a_few_screens(sources: Mapping[Path, str]) -> None:
    long = {str(path): lines for path, text in sources.items() if (lines := len(text.splitlines())) > MODULE_LINES}

    assert long == {}


def test_a_function_fits_on_one_screen(trees: Mapping[Path, ast.Module]) -> None:
    every = [(path, each, _lines(each)) for path, tree in trees.items() for each in _functions(tree)]
    long = [f"{path}: {each.name} has {lines} lines" for path, each, lines in every if lines > FUNCTION_LINES]

    assert long == []


def test_a_function_can_be_called_from_memory(trees: Mapping[Path, ast.Module]) -> None:
    every = [(path, each, _parameters(each)) for path, tree in trees.items() for each in _functions(tree)]
    wide = [f"{path}: {each.name} takes {number}" for path, each, number in every if number > PARAMETERS]

    assert wide == []
