"""No module needs, at its start or later, one that needs it: what is imported inside a function counts as well."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

LATE = {"Late", "import_module"}  # name the module that they will import


def _module(path: Path) -> str:
    """Return what ``packages/nexus/src/nexus/call.py`` is called: ``nexus.call``."""
    return ".".join(part for part in path.with_suffix("").parts[3:] if part != "__init__")


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of *tree*, without what only a type checker reads."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for other in node.orelse:
                yield from _running(other)
                yield other
            continue
        yield node
        yield from _running(node)


def _named(node: ast.AST, ours: Set[str]) -> list[str]:
    """Return those of *ours* that *node* imports; ``from package import module`` needs the module alone."""
    match node:
        case ast.Import(names):
            return [each.name for each in names if each.name in ours]
        case ast.ImportFrom(str(module), names):
            inside = [f"{module}.{each.name}" for each in names]
            return [each if each in ours else module for each in inside if {each, module} & ours]
        case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str(module)), *_]) if name in LATE:
            return [module]
    return []


def _needs(tree: ast.Module, ours: Set[str]) -> set[str]:
    return {module for node in _running(tree) for module in _named(node, ours)} & ours


def _circle(needs: Mapping[str, Set[str]]) -> list[str]:
    try:
        graphlib.TopologicalSorter(needs).prepare()
    except graphlib.CycleError as found:
        return list(found.args[1])
    return []


def test_no_module_imports_in_a_circle(trees: Mapping[Path, ast.Module]) -> None:
    modules = {_module(path): tree for path, tree in trees.items()}

    assert _circle({name: _needs(tree, modules.keys()) - {name} for name, tree in modules.items()}) == []


def test_a_circle_that_closes_inside_a_function_is_seen() -> None:
    first = ast.parse("from package import second")
    second = ast.parse("def late():\n    import_module('package.first')")
    ours = {"package.first", "package.second"}

    assert _circle({"package.first": _needs(first, ours), "package.second": _needs(second, ours)})
