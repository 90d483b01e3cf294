"""Public names are lazy, resolve, and are what the type checker believes."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("kailash", "dataflow", "nexus")


def _module(path: Path) -> str:
    parts = path.relative_to(next(parent for parent in path.parents if parent.name == "src")).parts[:-1]
    return ".".join(parts)


def _twins(tree: ast.Module) -> dict[str, str]:
    """Return public name -> home, as written under ``if TYPE_CHECKING:``."""
    return {
        alias.asname or alias.name: f"{statement.module}:{alias.name}"
        for block in tree.body
        if isinstance(block, ast.If) and getattr(block.test, "id", "") == "TYPE_CHECKING"
        for statement in block.body
        if isinstance(statement, ast.ImportFrom) and statement.module
        for alias in statement.names
    }


def _lazy() -> list[Path]:
    return [
        path
        for path in sorted(ROOT.glob("packages/*/src/**/__init__.py"))
        if "exports(" in path.read_text() and "__getattr__" in path.read_text()
    ]


@pytest.mark.parametrize("path", _lazy(), ids=_module)
def test_a_lazy_name_is_what_the_type_checker_believes(path: Path) -> None:
    module = importlib.import_module(_module(path))
    twins = _twins(ast.parse(path.read_text()))

    offered = {name for name in module.__dir__() if not name.startswith("__")}

    assert offered <= set(twins)
    for name in offered:
        home, _, original = twins[name].partition(":")
        assert getattr(module, name) is getattr(importlib.import_module(home), original)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_name_that_is_not_offered_is_an_attribute_error(package: str) -> None:
    module = importlib.import_module(package)

    with pytest.raises(AttributeError, match="no_such_name"):
        module.no_such_name  # noqa: B018


@pytest.mark.parametrize("package", PACKAGES)
def test_a_distribution_is_typed_and_knows_its_version(package: str) -> None:
    home = Path(str(importlib.import_module(package).__file__)).parent
    version = importlib.import_module(f"{package}._version").__version__

    assert (home / "py.typed").exists()
    assert importlib.import_module(package).__version__ == version
