"""Commands about a database that was there first: what is in it, and whether it is in order."""

from __future__ import annotations

from pathlib import Path

import click

from dataflow.cli.desk import Desk, command
from dataflow.model import relations

WRONG = 1  # exit code of a database that is not in order


@command(
    click.Option(["--write"], type=click.Path(dir_okay=False, path_type=Path), help="Write the models to this file."),
    click.Option(["--table", "tables"], multiple=True, help="This table alone; may be given again."),
    click.Option(["--mermaid"], is_flag=True, help="Draw the tables and their keys instead."),
)
def discover(desk: Desk, write: Path | None, tables: tuple[str, ...], mermaid: bool) -> None:  # noqa: FBT001 - a flag
    """Show the tables of a database, or write models that stand for them."""
    database = desk.bare_database()
    wanted = tables or None
    if write is not None:
        if write.exists():
            desk.confirm(f"writing over {write}")
        write.write_text(database.schema.source(wanted, name=database.name), encoding="utf-8")
        desk.say(f"wrote {write}")
        return
    found = database.discover_schema(wanted)
    if mermaid:
        click.echo(found.to_mermaid(), nl=False)
    elif desk.form == "json":
        desk.record(found.to_dict())
    else:
        desk.records(
            [
                {
                    "table": table.name,
                    "kind": table.kind,
                    "columns": len(table.columns),
                    "key": [*table.primary_key],
                    "indexes": len(table.indexes),
                    "points_to": sorted({key.table for key in table.foreign_keys}),
                }
                for table in found.tables.values()
            ],
            ("table", "kind", "columns", "key", "indexes", "points_to"),
        )


@command(
    click.Option(["--ids"], type=click.IntRange(0, 1000), default=0, help="Tell so many ids of what is wrong."),
    click.Option(["--mermaid"], is_flag=True, help="Draw the models and their relations instead."),
)
def verify(desk: Desk, ids: int, mermaid: bool) -> int:  # noqa: FBT001 - a flag
    """Look for differences, orphans, circles and missing indexes; exit with 1 where something is wrong."""
    database = desk.database()
    if mermaid:
        click.echo(relations.mermaid([model.spec for model in database.models]), nl=False)
        return 0
    found = database.schema.verify(samples=ids)
    desk.records(
        [
            {"what": each.what, "serious": each.serious, "sentence": each.sentence, "model": each.model,
             "field": each.field, "count": each.count, "ids": [*each.ids]}
            for each in found
        ],
        ("what", "serious", "sentence"),
    )  # fmt: skip
    if not found:
        desk.say("everything is in order")
    return WRONG if any(each.serious for each in found) else 0
