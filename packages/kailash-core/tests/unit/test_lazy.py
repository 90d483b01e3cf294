"""What is imported late: found when it is asked for, and said clearly when it cannot be."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kailash._lazy import Late, exports
from kailash._version import __version__


@pytest.fixture
def package(tmp_path: Path, imports_are_forgotten: None) -> str:
    """A package on the core: one module uses a name that no core has, one needs something that is not installed."""
    home = tmp_path / "standing"
    home.mkdir()
    (home / "__init__.py").write_text("")
    (home / "fine.py").write_text("thing = [1]\n")
    (home / "newer.py").write_text("from kailash.errors import NameOfTheFuture\n")
    (home / "extra.py").write_text("import not_installed_anywhere\n")
    sys.path.insert(0, str(tmp_path))
    return "standing"


def test_a_public_name_is_imported_when_it_is_asked_for(package: str) -> None:
    find, names = exports(package, {"thing": "standing.fine", "other": "standing.newer"})

    assert names() == ["other", "thing"]
    assert "standing.fine" not in sys.modules
    assert find("thing") == [1]
    with pytest.raises(AttributeError, match="module 'standing' has no attribute 'think'"):
        find("think")


def test_a_core_that_is_too_old_is_named(package: str) -> None:
    """Installed against what the metadata say: an installer refuses it, and `pip check` tells of it."""
    find, _ = exports(package, {"thing": "standing.newer"})

    with pytest.raises(ImportError, match="standing needs another kailash-core than") as told:
        find("thing")

    assert told.value.msg.endswith(f"{__version__}, which is installed; see `pip check`")
    assert "NameOfTheFuture" in str(told.value.__cause__)


def test_what_else_is_not_installed_is_not_the_fault_of_the_core(package: str) -> None:
    find, _ = exports(package, {"thing": "standing.extra"})

    with pytest.raises(ModuleNotFoundError, match="not_installed_anywhere"):
        find("thing")


def test_a_module_is_imported_when_something_of_it_is_asked_for(package: str) -> None:
    late = Late("standing.fine")
    assert "standing.fine" not in sys.modules

    assert late.thing is late.thing
    assert late.thing is sys.modules["standing.fine"].thing
