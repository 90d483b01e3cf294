"""Finding workflows in the files of a program, without ever being in its way.

Rule 1: files are parsed before anything is imported; one that writes no workflow (models only, say) is left alone.
Rule 2: a module that is loaded is used as it is. The program's own file is, whatever name it runs under, so that a
file that imports the application meets the one that runs and makes no second one.
Rule 3: a file has so many seconds to be imported, in a thread of its own, which is left behind when they are over.
Rule 4: a file that cannot be used is one warning; nothing else happens because of it.
"""

from __future__ import annotations

import ast
import importlib
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from types import ModuleType
from typing import Any, Final

import msgspec

from kailash._undo import outcome_of
from kailash.errors import KailashError
from kailash.workflow.builder import WorkflowBuilder
from kailash.workflow.graph import Workflow

logger = logging.getLogger("nexus")

LIMIT: Final = 5.0  # seconds for one import; arbitrary
MOST_FILES: Final = 5_000  # files that are looked at; arbitrary: more is no folder of a program
LARGEST: Final = 1_000_000  # bytes of a file that is looked at; arbitrary
SKIPPED: Final = frozenset({"node_modules", "site-packages", "tests", "venv", "env", "build", "dist"})
WORDS: Final = (b"WorkflowBuilder", b"Workflow", b".register(", b".workflow(", b".handler(")
MAKERS: Final = frozenset({"WorkflowBuilder", "Workflow"})
REGISTERS: Final = frozenset({"register", "workflow", "handler"})

Offer = Callable[[str, Any], None]


class Found(msgspec.Struct, frozen=True):
    """What became of one candidate. workflows: the names that it added; trouble: why it was skipped."""

    path: str
    workflows: tuple[str, ...] = ()
    trouble: str = ""


def discover(
    folder: Path, offer: Offer, *, owner: Any = None, limit: float = LIMIT, stop: threading.Event | None = None
) -> list[Found]:
    """Offer every workflow that stands at the top of a module below *folder*; return what was found.

    offer: takes a name and a workflow or builder. owner: the application; a module that was loaded before and holds
    it says itself what it offers. stop: ends the search.
    """
    _know_the_program()
    found = []
    for path, registers in candidates(folder):
        if stop is not None and stop.is_set():
            break
        shown = str(path.relative_to(folder))
        try:
            result = Found(shown, tuple(dict.fromkeys(_one(path, folder, offer, owner, limit, registers=registers))))
        except SkippedError as skipped:
            logger.warning("no workflows from %s: %s", shown, skipped)
            result = Found(shown, trouble=str(skipped))
        found.append(result)
    return found


def candidates(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Yield the files below *folder* that write workflows, in the order of their names.

    With each comes whether it registers them itself, with an application that it imports.
    """
    for path in _files(folder):
        try:
            source = path.read_bytes() if path.stat().st_size <= LARGEST else b""
        except OSError:
            continue
        if not any(word in source for word in WORDS):
            continue
        try:
            statements = ast.parse(source).body
        except (SyntaxError, ValueError, RecursionError):
            continue  # whoever needs the file will hear of it
        registers = any(_registers(statement) for statement in statements)
        if registers or any(_makes(statement) for statement in statements):
            yield path, registers


def _makes(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.Assign | ast.AnnAssign) or not isinstance(statement.value, ast.Call):
        return False
    parts = ast.unparse(statement.value.func).split(".")
    return not MAKERS.isdisjoint(parts) or parts[-1] == "build"


def _registers(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        calls = [each for each in statement.decorator_list if isinstance(each, ast.Call)]
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        calls = [statement.value]
    else:
        return False
    return any(isinstance(call.func, ast.Attribute) and call.func.attr in REGISTERS for call in calls)


def _files(folder: Path) -> Iterator[Path]:
    count = 0
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name.isidentifier() and name not in SKIPPED)
        for name in sorted(names):
            stem, ending = os.path.splitext(name)
            if ending != ".py" or not stem.isidentifier() or stem.startswith("test_") or stem == "conftest":
                continue
            count += 1
            if count > MOST_FILES:
                logger.warning("only the first %d files below %s were looked at", MOST_FILES, folder)
                return
            yield Path(place, name)


def _one(path: Path, folder: Path, offer: Offer, owner: Any, limit: float, *, registers: bool) -> Iterator[str]:
    """Offer the workflows of one module and yield their names. Raises: SkippedError."""
    module = _loaded(path)
    if module is not None and owner is not None and any(value is owner for value in vars(module).values()):
        return
    if module is None:
        module = _imported(path, folder, limit)
    if registers:
        return
    seen: set[int] = set()
    for variable, value in list(vars(module).items()):
        if variable.startswith("_") or not isinstance(value, Workflow | WorkflowBuilder) or id(value) in seen:
            continue
        seen.add(id(value))
        name = value.name or variable
        try:
            offer(name, value)
        except KailashError as error:
            raise SkippedError(f"workflow {name!r}: {error.message}") from error
        yield name


def _loaded(path: Path) -> ModuleType | None:
    """Return the module of that file, if there is one."""
    wanted = str(path.resolve())
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)  # what stands in sys.modules is not always a module
        if isinstance(file, str) and os.path.realpath(file) == wanted:
            return module
    return None


def _know_the_program() -> None:
    """Let ``import app`` find the program that runs as ``__main__``, rather than run it a second time."""
    program = sys.modules.get("__main__")
    file = getattr(program, "__file__", None)
    if program is not None and isinstance(file, str) and file.endswith(".py"):
        sys.modules.setdefault(Path(file).stem, program)


def _imported(path: Path, folder: Path, limit: float) -> ModuleType:
    """Import the file within *limit* seconds. Raises: SkippedError."""
    name = ".".join([*path.relative_to(folder).parent.parts, path.stem]).removesuffix(".__init__")
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    answer: SimpleQueue[tuple[ModuleType, BaseException | None]] = SimpleQueue()

    def load() -> None:
        answer.put(outcome_of(importlib.import_module, name))

    threading.Thread(target=load, name=f"nexus-discovery-{name}", daemon=True).start()
    try:
        came, fault = answer.get(timeout=limit)
    except Empty:
        raise SkippedError(f"its import takes longer than {limit:g} seconds") from None
    if fault is not None:  # a file may raise anything, SystemExit too
        raise SkippedError(f"its import fails with {type(fault).__name__}: {fault}") from fault
    if os.path.realpath(came.__file__ or "") != str(path.resolve()):
        raise SkippedError(f"another module is named {name!r}")
    return came


class SkippedError(Exception):
    """A file cannot be used; it becomes a warning and goes no further."""
