"""``dataflow audit``: read the audit log, and check that it is what was written."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from dataflow.cli.desk import Desk, command

_ENTRY = ("sequence", "at", "actor", "operation", "event", "model", "id", "tenant", "channel")
_FILTERS = [
    click.Option(["--model"], help="Of this model."),
    click.Option(["--id"], help="Of the record of this id."),
    click.Option(["--actor"], help="By this one."),
    click.Option(["--tenant"], help="Of this tenant."),
    click.Option(["--request-id"], help="By this request."),
    click.Option(["--limit"], type=click.IntRange(1), default=20, show_default=True, help="At most so many."),
]


@command()
def verify(desk: Desk) -> None:
    """Check the chain of the audit log; one that is broken ends with exit code 5."""
    desk.record({"verified": True, **msgspec.structs.asdict(desk.database().audit.verify())})


@command(*_FILTERS)
def entries(desk: Desk, **filters: Any) -> None:
    """Show who wrote what, the latest first."""
    found = desk.database().audit.query(**filters)
    desk.records([msgspec.structs.asdict(each) for each in found], _ENTRY)


audit = click.Group(
    "audit",
    commands={"verify": verify, "list": entries},
    help="Read the audit log, and check that it is what was written.",
)
