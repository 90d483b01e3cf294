"""Find the `DataFlow` that a command is for, and import it without starting a server.

In this order: ``--app module:attribute``, ``$DATAFLOW_APP``, ``[tool.dataflow] app`` in pyproject.toml here, the one
``DataFlow(...)`` at the top of ``app.py``, ``main.py``, ``models.py`` or ``db.py`` here. Files are parsed before
anything is imported.

The surprise: a program that ends in ``app.start()``, without an ``if __name__ == "__main__"``, is loaded without that
line.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from kailash.errors import ConfigurationError

if TYPE_CHECKING:
    from dataflow.database import DataFlow

CANDIDATES: Final = ("app.py", "main.py", "models.py", "db.py")  # files looked at
HINT: Final = (
    'pass --app module:attribute, set DATAFLOW_APP, or put app = "module:attribute" under [tool.dataflow] in'
    " pyproject.toml"
)


class Place(msgspec.Struct, frozen=True):
    """Where a database is declared: ``module:attribute``, who said so, and the folder of a file that is not here."""

    module: str
    attribute: str
    source: str
    folder: str = ""

    def __str__(self) -> str:
        return f"{self.module}:{self.attribute}"


class NoApplicationError(ConfigurationError):
    """No application was named, and none or several were found here."""

    code = "no_application"


class UnusableApplicationError(ConfigurationError):
    """The application that was named cannot be imported, or has no `DataFlow` there."""

    code = "unusable_application"


def find(option: str | None, environ: Mapping[str, str], folder: Path) -> Place:
    """Return where the database is declared. Raises: NoApplicationError, UnusableApplicationError."""
    if option:
        return _read(option, "--app")
    if named := environ.get("DATAFLOW_APP"):
        return _read(named, "DATAFLOW_APP")
    if configured := _configured(folder / "pyproject.toml"):
        return _read(configured, "pyproject.toml")
    files = [path for name in CANDIDATES if (path := folder / name).is_file()]
    found = [Place(path.stem, name, path.name) for path in files for name in _assigned(_parse(path))]
    if len(found) == 1:
        return found[0]
    if not found:
        raise NoApplicationError("no application found here", hint=HINT)
    raise NoApplicationError(f"several found here: {', '.join(map(str, found))}", hint="choose one with --app")


def load(place: Place, folder: Path) -> DataFlow:
    """Return the database at *place*, importing its module from *folder* or the installed packages.

    Raises: UnusableApplicationError, with the exception of the program as its cause.
    """
    from dataflow.database import DataFlow  # everything that an operation needs, which help does without

    home = place.folder or str(folder)
    if home not in sys.path:
        sys.path.insert(0, home)
    found = _import(place)
    for name in place.attribute.split("."):
        found = getattr(found, name, None)
    if callable(found) and not isinstance(found, DataFlow):
        found = found()
    if not isinstance(found, DataFlow):
        raise UnusableApplicationError(f"{place}, named by {place.source}, is no DataFlow", hint=HINT)
    return found


def _read(spelled: str, source: str) -> Place:
    module, colon, attribute = spelled.partition(":")
    home = ""
    if module.startswith(("/", "~", "../")):  # a file elsewhere; one below this folder is a module of it
        path = Path(module).expanduser().resolve()
        module, home = path.name, str(path.parent)
    module = module.removesuffix(".py").removeprefix("./").replace("/", ".")
    if not module or (colon and not attribute):
        raise UnusableApplicationError(f"{spelled!r} is no application", hint="spell it module:attribute")
    return Place(module, attribute or "db", source, home)


def _configured(path: Path) -> str | None:
    if not path.is_file():
        return None
    try:
        app = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("dataflow", {}).get("app")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise NoApplicationError(f"pyproject.toml cannot be read: {fault}", hint=HINT) from fault
    return app if isinstance(app, str) else None


def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes(), filename=str(path))
    except (SyntaxError, ValueError) as fault:
        raise UnusableApplicationError(f"{path.name} cannot be parsed: {fault}") from fault


def _assigned(tree: ast.Module) -> Iterator[str]:
    """Yield the names at the top of a module that hold a ``DataFlow(...)``."""
    for statement in tree.body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=maker))
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.Call(func=maker))
            ) if ast.unparse(maker).rpartition(".")[2] == "DataFlow":
                yield name
            case _:
                pass


def _import(place: Place) -> Any:
    finder = _Finder(place)
    sys.meta_path.insert(0, finder)
    try:
        return import_module(place.module)
    except ModuleNotFoundError as fault:
        if fault.name == place.module.partition(".")[0]:
            raise UnusableApplicationError(
                f"there is no module {place.module!r} here", hint=f"it was named by {place.source}"
            ) from fault
        raise UnusableApplicationError(f"{place.module!r} needs {fault.name!r}, which is not installed") from fault
    except (Exception, SystemExit) as fault:  # the user's own program, run on import, may raise anything
        raise UnusableApplicationError(f"{place.module!r} fails on import: {type(fault).__name__}") from fault
    finally:
        sys.meta_path.remove(finder)


class _Finder:
    """Finds one module by name, and has it loaded by `_Loader`; every other import goes its ordinary way."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != self._place.module:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or type(spec.loader) is not SourceFileLoader:
            return spec
        loader = _Loader(name, spec.loader.path)
        folders = spec.submodule_search_locations
        return spec_from_file_location(name, spec.loader.path, loader=loader, submodule_search_locations=folders)


class _Loader(SourceFileLoader):
    """Loads a program without the ``app.start()`` at its top; keeps no bytecode of that."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        tree = ast.parse(self.get_data(path), filename=path)
        tree.body = [statement for statement in tree.body if not _starts(statement)]
        return compile(tree, path, "exec", dont_inherit=True)


def _starts(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="start", value=ast.Name()))):
            return True
        case _:
            return False
