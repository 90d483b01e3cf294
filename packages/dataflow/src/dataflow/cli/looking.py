"""Commands that look and change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dataflow.cli.desk import Desk, command
from kailash._lazy import Late

if TYPE_CHECKING:
    from dataflow.schema import plan as planning
    from dataflow.schema import registry as registered
else:  # with what they bring, which help does without
    planning, registered = Late("dataflow.schema.plan"), Late("dataflow.schema.registry")


@command()
def status(desk: Desk) -> None:
    """Tell which database this is, whether it can be reached, and whether it is what the models say."""
    database = desk.bare_database()
    told = database.health_check()
    if told["status"] == "healthy" and len(database.models):
        told |= database.schema.status()
    desk.record(told)


@command(click.Option(["--limit"], type=click.IntRange(1), default=20, show_default=True, help="At most so many."))
def history(desk: Desk, limit: int) -> None:
    """List what was done to this database, the latest first."""
    found = desk.bare_database().schema.history()[::-1][:limit]
    desk.records(
        [
            {
                "id": each.id,
                "kind": each.kind,
                "at": each.applied_at.isoformat(timespec="seconds") if each.applied_at else "",
                "application": each.application,
                "host": each.host,
                "version": each.version,
                "models": each.models,
                "seconds": round(each.seconds, 3),
                "undoes": [*each.undoes],
                "changes": [*map(planning.described, each.changes)],
            }
            for each in found
        ],
        ("id", "kind", "at", "application", "host", "seconds", "changes"),
    )


@command(
    click.Option(["--model"], help="The versions of this model, and what each has otherwise than the one before."),
)
def registry(desk: Desk, model: str | None) -> None:
    """List which applications use this database, with which models."""
    schema = desk.bare_database().schema
    entries = schema.applications()
    if model is None:
        desk.records(
            [
                {
                    "application": each.application,
                    "host": each.host,
                    "version": each.version,
                    "first_seen": each.first_seen.isoformat(timespec="seconds"),
                    "last_changed": each.last_changed.isoformat(timespec="seconds"),
                    "models": registered.current(entries, each.specs),
                }
                for each in entries
            ],
            ("application", "host", "version", "first_seen", "last_changed", "models"),
        )
        return
    found = [each for each in registered.versions(entries) if each.model == model]
    desk.records(
        [
            {
                "model": each.model,
                "version": each.number,
                "digest": each.digest,
                "first_seen": each.first_seen.isoformat(timespec="seconds"),
                "applications": [*each.applications],
                "changes": registered.compare(before.spec, each.spec) if before is not None else [],
            }
            for before, each in zip([None, *found], found, strict=False)
        ],
        ("version", "digest", "first_seen", "applications", "changes"),
    )
