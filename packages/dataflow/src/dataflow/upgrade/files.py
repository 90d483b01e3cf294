"""Which files are looked at, how they are read, and how they are written."""

from __future__ import annotations

import io
import os
import re
import tempfile
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

import msgspec

from dataflow import options
from dataflow.upgrade.finding import Upgraded
from kailash._undo import Undoing
from kailash.errors import ConfigurationError, InvalidInputError, NotAvailableError

LEFT_OUT: Final = frozenset(
    {"__pycache__", "node_modules", "site-packages", "venv", "build", "dist"}
)  # and hidden ones
TELLING: Final = re.compile(  # a file that says none of this is current, and need not be parsed
    r"\bDataFlow\b|\b(?:dataflow|nexus)\s*\.\s*core\b|\b(?:dataflow|nexus)\s+import\b[^;#]*?\bcore\b|"
    + "|".join([*options.RENAMED, *options.NEEDLESS])
)


class Seen(msgspec.Struct, frozen=True):
    """One file: what it says, what becomes of it, and how it is encoded; *fault* says why it cannot be read."""

    path: Path
    text: str = ""
    encoding: str = "utf-8"
    became: Upgraded = Upgraded("")
    fault: str = ""

    @property
    def changed(self) -> bool:
        """Whether there is something to write."""
        return self.became.source != self.text


def python_files(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the Python files that *paths* name, those of folders in order; no link to a folder is followed.

    Raises: InvalidInputError for a path that is not there.
    """
    for path in paths:
        if path.is_file():
            yield path
        elif path.is_dir():
            for home, folders, names in os.walk(path):
                folders[:] = sorted(name for name in folders if name not in LEFT_OUT and not name.startswith("."))
                yield from (Path(home) / name for name in sorted(names) if name.endswith((".py", ".pyi")))
        else:
            raise InvalidInputError(f"there is no file or folder {str(path)!r}", hint="name Python files or folders")


def look(path: Path) -> Seen:
    """Return what becomes of the file at *path*. Raises: NotAvailableError without LibCST."""
    reading = _reading()
    try:
        content = path.read_bytes()
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        text = content.decode(encoding)
    except OSError as fault:
        return Seen(path, fault=f"cannot be read: {fault.strerror}")
    except (SyntaxError, UnicodeDecodeError):
        return Seen(path, fault="is not text of the encoding that it declares")
    if TELLING.search(text) is None:
        return Seen(path, text, encoding, Upgraded(text))
    try:
        return Seen(path, text, encoding, reading.upgraded(text))
    except InvalidInputError as fault:
        return Seen(path, fault=fault.message)


def write(seen: Seen) -> None:
    """Put what became of a file in its place, at once: nobody sees half of it.

    Raises: ConfigurationError when the place cannot be written.
    """
    path = seen.path.resolve()  # what a link points to is what is written
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with Undoing(lambda: Path(name).unlink(missing_ok=True)):
            with os.fdopen(handle, "wb") as file:
                file.write(seen.became.source.encode(seen.encoding))
            os.chmod(name, path.stat().st_mode)
            os.replace(name, path)
    except OSError as fault:
        raise ConfigurationError(f"{seen.path} cannot be written: {fault.strerror}") from fault


def _reading() -> ModuleType:
    try:
        from dataflow.upgrade import reading  # imports LibCST, an extra: 130 ms
    except ModuleNotFoundError as cause:
        if (cause.name or "").partition(".")[0] != "libcst":
            raise
        hint = "pip install 'libcst>=1.8', or install this distribution with its extra `upgrade`"
        raise NotAvailableError(
            "programs are brought up to date by LibCST, which is not installed", hint=hint
        ) from cause
    return reading
