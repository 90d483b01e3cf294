"""Write the generated parts of the reference pages, between their markers.

``python tools/reference.py`` writes them; a test says when they are not what the code says.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from kailash.errors import KailashError
from nexus import wire

ROOT = Path(__file__).resolve().parents[1]
ERRORS = ROOT / "docs" / "reference" / "errors.md"


def errors() -> list[type[KailashError]]:
    """Return every error that the three distributions define, ordered by code."""
    for package in ("kailash", "dataflow", "nexus"):
        for name in _modules(package):
            importlib.import_module(name)
    found = {each for each in _descendants(KailashError) if "code" in vars(each) and ".testing" not in each.__module__}
    return sorted(found, key=lambda each: (each.code, each.__module__, each.__name__))


def errors_table() -> str:
    """Return the table of errors, as Markdown."""
    lines = ["| code | kind | HTTP | exit | error | when |", "|---|---|--:|--:|---|---|"]
    for error in errors():
        said = wire.WIRES[error.kind]
        status = getattr(error, "status", 0) or said.http
        first = inspect.cleandoc(error.__doc__ or "").partition("\n\n")[0]
        when = first.replace("\n", " ").replace("``", "`").replace("|", "\\|")
        name = f"`{error.__module__}.{error.__qualname__}`"
        lines.append(f"| `{error.code}` | {error.kind.value} | {status} | {said.exit} | {name} | {when} |")
    return "\n".join(lines)


def written(page: str, part: str, text: str) -> str:
    """Return *page* with *text* between the markers of *part*."""
    begin, end = f"<!-- generated: {part} -->", f"<!-- end: {part} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(page):
        raise LookupError(f"no markers of {part!r}")
    return pattern.sub(lambda _: f"{begin}\n\n{text}\n\n{end}", page)


def _modules(package: str) -> Iterator[str]:
    yield package
    home = importlib.import_module(package)
    for module in pkgutil.walk_packages(home.__path__, f"{package}."):
        if module.name.rpartition(".")[2] != "__main__":
            yield module.name


def _descendants(error: type[KailashError]) -> Iterator[type[KailashError]]:
    yield error
    for child in error.__subclasses__():
        if child.__module__.partition(".")[0] in {"kailash", "dataflow", "nexus"}:
            yield from _descendants(child)


def main() -> int:
    """Write the pages."""
    ERRORS.write_text(written(ERRORS.read_text(), "errors", errors_table()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
