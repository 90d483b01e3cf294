"""Tables and a bar for a person who looks on: by Rich, where it is installed (``dataflow[console]``).

Rule 1: a terminal alone gets any of it; a pipe, and a terminal without Rich, get plain text from whoever asks.
Rule 2: words of a database are text and never markup.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Final, TextIO

import click

STYLES: Final[Mapping[str, str]] = {  # of a cell that is this word
    "automatic": "green", "consent": "yellow", "impossible": "bold red",
    "ok": "green", "fine": "green", "note": "yellow", "failed": "bold red",
}  # fmt: skip


def table(stream: TextIO, columns: Sequence[str], lines: Sequence[Sequence[str]]) -> bool:
    """Write a table, as wide as the terminal; return whether there was one to write on."""
    rich = _rich(stream)
    if rich is None:
        return False
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for line in lines:
        made.add_row(*[Text(word, style=STYLES.get(word, "")) for word in line])
    rich.Console(file=stream).print(made)
    return True


@contextmanager
def bar(stream: TextIO, length: int, label: str) -> Iterator[Callable[[], None]]:
    """Give what is called after each of *length* steps, and show on a terminal how far it is."""
    rich = _rich(stream)
    if rich is None:
        with click.progressbar(length=length, label=label, file=stream) as shown:
            yield lambda: shown.update(1)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    parts = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*parts, console=rich.Console(file=stream)) as progress:
        task = progress.add_task(label, total=length)
        yield lambda: progress.advance(task)


def _rich(stream: TextIO) -> ModuleType | None:
    """Return Rich's console where *stream* is a terminal and Rich is there: 60 ms that a pipe does not pay."""
    if not stream.isatty():
        return None
    try:
        from rich import console
    except ImportError:
        return None
    return console
