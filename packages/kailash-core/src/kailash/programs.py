"""Find an object that a program of the user declares, and load it without starting its server; for command lines.

In this order: an option ``module:attribute``, a variable of the environment, ``[tool.<table>] app`` in pyproject.toml,
the one call of the class at the top of a file here. Files are parsed before anything is imported.

The surprise: a program that ends in ``app.start()`` without an ``if __name__ == "__main__"`` (as many do) is loaded
without that line: whoever asks for a list of products does not want a server.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType
from typing import Any

import msgspec

from kailash.errors import ConfigurationError


class Maker(msgspec.Struct, frozen=True):
    """A class as programs spell it: its name, and the modules from which they import it."""

    name: str
    modules: tuple[str, ...]


class Sought(msgspec.Struct, frozen=True):
    """What is looked for, and where. server: what a program must not ``start()`` while it is loaded."""

    maker: Maker
    server: Maker
    variable: str  # of the environment
    table: str  # of pyproject.toml, below ``tool``
    attribute: str  # where only a module is named
    files: tuple[str, ...]  # looked at, in this order

    @property
    def hint(self) -> str:
        """What to do when nothing was found."""
        return (
            f'pass --app module:attribute, set {self.variable}, or put app = "module:attribute" under'
            f" [tool.{self.table}] in pyproject.toml"
        )


class Place(msgspec.Struct, frozen=True):
    """Where an object is: ``module:attribute``, who said so, and the folder of its file when it is another one."""

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
    """The application that was named cannot be imported, or is something else."""

    code = "unusable_application"


def find(sought: Sought, option: str | None, environ: Mapping[str, str], folder: Path) -> Place:
    """Return where the object is. An attribute "" means: the only one of its module.

    Raises: NoApplicationError, when nobody named one and *folder* holds none, or several.
    """
    if option:
        return _read(sought, option, "--app")
    if named := environ.get(sought.variable):
        return _read(sought, named, sought.variable)
    if configured := _configured(sought, folder / "pyproject.toml"):
        return _read(sought, configured, "pyproject.toml")
    files = [(path, _parse(path)) for name in sought.files if (path := folder / name).is_file()]
    found = [Place(path.stem, name, path.name) for path, tree in files for name in assigned(sought.maker, tree)]
    found = found or [Place(path.stem, "", path.name) for path, tree in files if any(_spelled(sought.maker, tree))]
    match found:
        case [place]:
            return place
        case []:
            raise NoApplicationError("no application found here", hint=sought.hint)
        case _:
            named_here = ", ".join(str(place).rstrip(":") for place in found)
            raise NoApplicationError(f"several applications found here: {named_here}", hint="choose one with --app")


def load(sought: Sought, place: Place, folder: Path, fits: Callable[[Any], bool]) -> Any:
    """Return what *fits* at *place*, importing its module from *folder* or the installed packages.

    Raises: UnusableApplicationError, with the exception of the program as its cause.
    """
    home = place.folder or str(folder)
    if home not in sys.path:
        sys.path.insert(0, home)
    found: Any = _import(sought, place)
    if not place.attribute:
        return _only(sought, found, place, fits)
    for name in place.attribute.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise UnusableApplicationError(
                f"{place.module!r} has no attribute {place.attribute!r}", hint=f"it was named by {place.source}"
            ) from None
    if not fits(found) and callable(found):
        found = found()
    if not fits(found):
        words = f"{place} is no {sought.maker.name} but a {type(found).__name__}"
        raise UnusableApplicationError(words, hint=sought.hint)
    return found


def assigned(maker: Maker, tree: ast.Module) -> list[str]:
    """Return the names at the top of a module that hold what a call of the class gives, in order."""
    spelled = frozenset(_spelled(maker, tree))
    names = [
        target.id
        for statement in _top(tree.body)
        if isinstance(statement, ast.Assign | ast.AnnAssign) and _dotted_call(statement.value) in spelled
        for target in (statement.targets if isinstance(statement, ast.Assign) else [statement.target])
        if isinstance(target, ast.Name)
    ]
    return list(dict.fromkeys(names))


def _only(sought: Sought, module: Any, place: Place, fits: Callable[[Any], bool]) -> Any:
    """Return the one that fits among the names of *module* (a program that gets it from a function of its own)."""
    named = {name: value for name, value in vars(module).items() if fits(value)}
    if len({id(value) for value in named.values()}) == 1:
        return next(iter(named.values()))
    many = f"several applications found here: {', '.join(f'{place.module}:{name}' for name in named)}"
    raise NoApplicationError(many if named else f"no application found in {place.source}", hint=sought.hint)


def _read(sought: Sought, spelled: str, source: str) -> Place:
    module, colon, attribute = spelled.partition(":")
    home = ""
    if module.startswith(("/", "~", "../")):  # a file elsewhere; one below this folder is a module of it
        path = Path(module).expanduser().resolve()
        module, home = path.name, str(path.parent)
    module = module.removesuffix(".py").removeprefix("./").replace("/", ".")
    if not module or (colon and not attribute):
        raise UnusableApplicationError(f"{spelled!r} is no application", hint="spell it module:attribute")
    return Place(module, attribute or sought.attribute, source, home)


def _configured(sought: Sought, path: Path) -> str | None:
    if not path.is_file():
        return None
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get(sought.table, {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise NoApplicationError(f"pyproject.toml cannot be read: {fault}", hint=sought.hint) from fault
    app = table.get("app")
    return app if isinstance(app, str) else None


# -- reading a program ---------------------------------------------------------------------------------------


def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes(), filename=str(path))
    except (SyntaxError, ValueError) as fault:
        raise UnusableApplicationError(f"{path.name} cannot be parsed: {fault}") from fault


def _top(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that run on import, those inside ``if``, ``try`` and ``with`` too."""
    for statement in body:
        yield statement
        match statement:
            case ast.If(test=test) if _is_main(test):
                continue
            case ast.If(body=inner, orelse=other) | ast.Try(body=inner, orelse=other):
                yield from _top([*inner, *other])
            case ast.With(body=inner):
                yield from _top(inner)
            case _:
                pass


def _is_main(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"


def _spelled(maker: Maker, tree: ast.Module) -> Iterator[str]:
    """Yield how this module spells the class: ``Nexus``, ``nexus.Nexus``, or what it calls them."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module), names=names) if module in maker.modules:
                yield from (name.asname or name.name for name in names if name.name == maker.name)
            case ast.Import(names=names):
                yield from (f"{name.asname or name.name}.{maker.name}" for name in names if name.name in maker.modules)
            case _:
                pass


def _dotted_call(value: ast.expr | None) -> str:
    return ast.unparse(value.func) if isinstance(value, ast.Call) else ""


# -- loading it ----------------------------------------------------------------------------------------------


def _import(sought: Sought, place: Place) -> Any:
    finder = _Finder(sought, place)
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
        where = _line_of(fault, finder.path)
        raise UnusableApplicationError(f"{place.module!r} fails on import{where}: {_said(fault)}") from fault
    finally:
        sys.meta_path.remove(finder)


def _said(fault: BaseException) -> str:
    return f"{type(fault).__name__}: {fault}" if str(fault) else type(fault).__name__


def _line_of(fault: BaseException, path: str) -> str:
    line, trace = 0, fault.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" (line {line})" if line else ""


class _Finder:
    """Finds one module by name, and has it loaded by `_Loader`; every other import goes its ordinary way."""

    def __init__(self, sought: Sought, place: Place) -> None:
        self._sought = sought
        self._place = place
        self.path = ""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != self._place.module:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or type(spec.loader) is not SourceFileLoader:
            return spec
        self.path = spec.loader.path
        loader = _Loader(name, self.path)
        loader.server = self._sought.server
        folders = spec.submodule_search_locations
        return spec_from_file_location(name, self.path, loader=loader, submodule_search_locations=folders)


class _Loader(SourceFileLoader):
    """Loads a program without the lines at its top that would start its server; keeps no bytecode of that."""

    server: Maker

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        tree = ast.parse(self.get_data(path), filename=path)
        starts = {f"{name}.start" for name in assigned(self.server, tree)}
        tree = _without(
            tree, lambda statement: isinstance(statement, ast.Expr) and _dotted_call(statement.value) in starts
        )
        return compile(tree, path, "exec", dont_inherit=True)


def _without(tree: ast.Module, unwanted: Callable[[ast.stmt], bool]) -> ast.Module:
    for statement in list(_top(tree.body)):
        for body in [getattr(statement, part, None) for part in ("body", "orelse")]:
            if isinstance(body, list) and not isinstance(
                statement, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef
            ):
                body[:] = [ast.copy_location(ast.Pass(), inner) if unwanted(inner) else inner for inner in body]
    tree.body = [statement for statement in tree.body if not unwanted(statement)]
    return tree
