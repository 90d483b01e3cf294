"""A run, step by step, on the terminal: a table that changes while it runs; plain lines where nobody looks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, Final, Protocol, TextIO

import msgspec

from kailash.errors import KailashError

MARKS: Final = {"started": "…", "finished": "✓", "recalled": "✓", "retrying": "↻", "failed": "✗"}
COLORS: Final = {"started": "yellow", "finished": "green", "recalled": "cyan", "retrying": "yellow", "failed": "red"}
Hear = Callable[[Any], None]


class StepEvent(Protocol):
    """What is heard of a step: a runtime's `StepEvent`."""

    path: str
    node: str
    what: str
    attempt: int
    seconds: float
    error: BaseException | None


class _Row(msgspec.Struct):
    node: str
    what: str
    attempt: int
    seconds: float
    heard: float  # on time.monotonic()
    error: str = ""


@contextmanager
def shown(stream: TextIO, *, color: bool) -> Iterator[Hear]:
    """Give what hears of each step and shows it on *stream*."""
    if not stream.isatty() or find_spec("rich") is None:  # rich is an extra: nexus[console]
        yield lambda step: _write(stream, step)
        return
    with _live(stream, color=color) as hear:
        yield hear


def _write(stream: TextIO, step: StepEvent) -> None:
    """Write one line: ``pay  retrying  attempt 2  0.013 s  ConnectionError``."""
    words = [step.path, step.what]
    if step.attempt > 1 or step.what == "retrying":
        words.append(f"attempt {step.attempt}")
    if step.what != "started":
        words.append(f"{step.seconds:.3f} s")
    if step.error is not None:
        words.append(_said(step.error))
    stream.write("  ".join(words) + "\n")
    stream.flush()


@contextmanager
def _live(stream: TextIO, *, color: bool) -> Iterator[Hear]:
    from rich.console import Console  # 60 ms, and only for who watches on a terminal
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

    rows: dict[str, _Row] = {}

    def table() -> Table:
        made = Table("", "step", "node", "tries", "seconds", "", box=None, pad_edge=False)
        for path, row in list(rows.items()):
            seconds = row.seconds + (time.monotonic() - row.heard if row.what in ("started", "retrying") else 0.0)
            mark = Text(MARKS[row.what], style=COLORS[row.what])
            made.add_row(mark, Text(path), Text(row.node), str(row.attempt), f"{seconds:.3f}", Text(row.error))
        return made

    def hear(step: StepEvent) -> None:
        error = _said(step.error) if step.error is not None else ""
        rows[step.path] = _Row(step.node, step.what, step.attempt, step.seconds, time.monotonic(), error)

    console = Console(file=stream, force_terminal=True, no_color=not color)
    with Live(console=console, get_renderable=table, refresh_per_second=8, redirect_stdout=False):
        yield hear


def _said(error: BaseException) -> str:
    return error.message if isinstance(error, KailashError) else type(error).__name__
