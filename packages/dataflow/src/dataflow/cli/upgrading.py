"""``dataflow upgrade``: bring the programs of an older API up to date."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click

from dataflow.cli import output
from dataflow.cli.desk import Desk, command
from dataflow.upgrade import files
from dataflow.upgrade.finding import Finding

COLORS: Final = {"+": "green", "-": "red", "@": "cyan"}  # of the lines of a difference
LINE: Final = re.compile(r"[^\n]*\n|[^\n]+")
PENDING: Final = 1  # exit code of --check


@command(
    click.Argument(["paths"], nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path)),
    click.Option(["--write", "-w"], is_flag=True, help="Change the files; without it the difference is shown."),
    click.Option(["--check"], is_flag=True, help="End with 1 when something is older, or must be decided."),
)
def upgrade(desk: Desk, paths: Sequence[Path], *, write: bool, check: bool) -> int:
    """Bring Python files up to date: imports that moved, options that were renamed or are no longer needed.

    Shows the difference of each file; --write makes it. What cannot be decided from the text is told. Files are read
    and never imported; a second time changes nothing.
    """
    seen = [files.look(path) for path in dict.fromkeys(files.python_files(paths))]
    told = [each for each in seen if each.changed or each.fault or each.became.undecided]
    if write:
        for each in told:
            if each.changed:
                files.write(each)
    named = _mentioned(seen) if any(each.became.elsewhere for each in seen) else []
    if desk.settings.get("output") == "json":
        output.record(sys.stdout, "json", _report(told, named, len(seen), written=write))
    else:
        _show(desk, told, named, write=write)
        desk.say(_summary(told, len(seen), write=write))
    if any(each.fault for each in seen):
        return 1
    return PENDING if check and told else 0


def _mentioned(seen: Sequence[files.Seen]) -> list[tuple[Path, Finding]]:
    """Return where older names stand besides, which matters where keywords come from somewhere else."""
    return [(each.path, found) for each in seen for found in each.became.mentions]


def _show(desk: Desk, told: Sequence[files.Seen], named: Sequence[tuple[Path, Finding]], *, write: bool) -> None:
    colored = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    for each in told:
        if each.fault:
            click.echo(f"{each.path}: {each.fault}", err=True)
        if each.changed and not write:
            for line in _difference(each):
                click.echo(click.style(line, fg=COLORS.get(line[:1])) if colored else line, nl=False)
        elif each.changed:
            desk.say(f"{each.path}: {_counted(len(each.became.changes), 'change')}")
    for each in told:
        for found in each.became.undecided:
            click.echo(f"{each.path}:{found.line}: to decide: {found.said}", err=True)
    for path, found in named:
        click.echo(f"{path}:{found.line}: to decide: {found.said}", err=True)


def _difference(seen: files.Seen) -> Iterator[str]:
    """Yield the lines of a unified difference, each with its end."""
    before, after = LINE.findall(seen.text), LINE.findall(seen.became.source)
    name = seen.path.as_posix().lstrip("/")
    for line in difflib.unified_diff(before, after, f"a/{name}", f"b/{name}"):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _summary(told: Sequence[files.Seen], number: int, *, write: bool) -> str:
    changed = sum(each.changed for each in told)
    decide = sum(len(each.became.undecided) for each in told)
    parts = [f"{_counted(number, 'file')} looked at"]
    parts.append(f"{changed} brought up to date" if write else f"{changed} to bring up to date")
    if decide:
        parts.append(f"{_counted(decide, 'place')} for you to decide")
    if changed and not write:
        parts.append("--write makes it so")
    return "; ".join(parts)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _report(
    told: Sequence[files.Seen], named: Sequence[tuple[Path, Finding]], number: int, *, written: bool
) -> dict[str, Any]:
    return {
        "looked_at": number,
        "written": written,
        "files": [
            {
                "path": str(each.path),
                "changes": [{"line": found.line, "message": found.said} for found in each.became.changes],
                "undecided": [{"line": found.line, "message": found.said} for found in each.became.undecided],
                "fault": each.fault or None,
                "difference": "".join(_difference(each)),
            }
            for each in told
        ],
        "mentions": [{"path": str(path), "line": found.line, "message": found.said} for path, found in named],
    }
