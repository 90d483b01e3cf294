"""Commands that change the schema, and those that show beforehand what they would do."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dataflow.cli import terminal
from dataflow.cli.desk import Desk, command
from kailash._lazy import Late

if TYPE_CHECKING:
    from dataflow import rehearsal
    from dataflow.cli import alembic
    from dataflow.rehearsal import Rehearsal
    from dataflow.schema import plan as planning
    from dataflow.schema.plan import Block, Plan, Step
else:  # with what they bring, which help does without
    rehearsal = Late("dataflow.rehearsal")
    alembic = Late("dataflow.cli.alembic")
    planning = Late("dataflow.schema.plan")

COLUMNS = ("step", "verdict", "score", "lock", "rows", "loses", "reason")
LONG = 3  # blocks, from which on a person sees a bar

_ACCEPT = click.Option(["--accept"], default="", metavar="PLAN", help="Agree to this plan, and to no other.")
_DRY_RUN = click.Option(["--dry-run"], is_flag=True, help="Only tell what would be done.")
_SQL = click.Option(["--sql"], is_flag=True, help="Show the statements.")


@command(_SQL)
def plan(desk: Desk, *, sql: bool) -> None:
    """Tell what `migrate` would do, and the risk of it."""
    found = desk.database().schema.plan()
    _show(desk, found, sql=sql)
    if found.obstacles:
        desk.say("This cannot be done: " + "; ".join(found.obstacles))
    elif found.consent:
        desk.say(f"To do it: dataflow migrate --accept {found.name}")
    elif not found.changes:
        desk.say("The schema is what the models say.")


@command(
    _ACCEPT, _DRY_RUN, _SQL,
    click.Option(["--emit"], type=click.Choice(["alembic"]), help="Write a revision of Alembic instead."),
)  # fmt: skip
def migrate(desk: Desk, *, accept: str, dry_run: bool, sql: bool, emit: str | None) -> None:
    """Make the schema what the models say."""
    schema = desk.database().schema
    if emit:
        there, back = schema.way_back()
        desk.record({"revision": str(alembic.write(there, back, Path.cwd()))})
        return
    if dry_run:
        _show(desk, schema.plan(), sql=sql)
        return
    with _watched(desk, schema.plan()) as told:
        applied = schema.migrate(accept, told)
    desk.record({"changes": [*map(planning.described, applied.changes)], "seconds": round(applied.seconds, 3)})


@command(
    click.Option(["--to"], type=click.IntRange(0), help="Undo everything after this one of the history; 0: all."),
    _ACCEPT,
    _DRY_RUN,
    _SQL,
)
def rollback(desk: Desk, *, to: int | None, accept: str, dry_run: bool, sql: bool) -> None:
    """Undo the latest migration, or several."""
    schema = desk.database().schema
    found = schema.rollback(to, dry_run=True)
    if dry_run:
        _show(desk, found.plan, sql=sql)
        for loss in found.plan.losses:
            desk.say(f"This does not come back: {loss}")
        return
    if not accept:
        for loss in found.plan.losses:
            desk.say(f"This does not come back: {loss}")
        desk.confirm(f"rolling back {len(found.plan.changes)} changes of {len(found.undone)} migrations")
    done = schema.rollback(to, accept=accept or found.plan.name)
    desk.record({"undone": [*done.undone], "changes": [*map(planning.described, done.plan.changes)]})


@command(
    click.Option(["--sample"], type=click.IntRange(0), default=1000, show_default=True, help="Records of a table.")
)
def rehearse(desk: Desk, sample: int) -> int:
    """Apply the plan to a copy, try every operation of every model there, and remove it."""
    done = rehearsal.rehearse(desk.database(), sample)
    told = done.told()
    if desk.form == "json":
        desk.record(told)
    else:
        desk.record({name: value for name, value in told.items() if name not in ("steps", "models")})
        desk.records(told["steps"], ("step", "lock", "seconds"))
        desk.records([*_tried(done)], ("model", "tenant", "operation", "seconds", "said"))
    return 0 if done.ok else 1


def _tried(done: Rehearsal) -> Iterator[dict[str, Any]]:
    for used in done.used:
        for each in used.operations:
            yield {"model": used.model, "tenant": used.tenant, "operation": each.operation,
                   "seconds": each.seconds, "said": each.error or "fine"}  # fmt: skip
        if used.untried:
            yield {"model": used.model, "operation": "create", "said": f"not tried: {used.untried}"}


def _show(desk: Desk, found: Plan, *, sql: bool) -> None:
    if desk.form == "json":
        blocks = [{"statements": each.statements, "concurrent": each.concurrent} for each in found.blocks]
        told: dict[str, Any] = {
            "plan": found.name,
            "automatic": found.automatic,
            "steps": [_step(each) for each in found.steps],
            "impossible": [*found.obstacles],
            "notices": [*found.notices],
        }
        desk.record(told | ({"blocks": blocks} if sql else {}))
        return
    desk.records([_step(each) for each in found.steps], COLUMNS)
    for each in found.steps:
        for effect in each.effects:
            click.echo(f"{planning.described(each.change)}: {effect}")
    for notice in found.notices:
        click.echo(notice)
    if sql:
        for block in found.blocks:
            click.echo("\n" + "".join(f"{statement};\n" for statement in block.statements), nl=False)


def _step(step: Step) -> dict[str, Any]:
    risk = step.risk
    return {
        "step": planning.described(step.change),
        "verdict": risk.verdict,
        "score": risk.score,
        "lock": risk.lock,
        "rows": risk.rows,
        "loses": risk.loses,
        "reason": risk.reason,
        "effects": [*step.effects],
    }


@contextmanager
def _watched(desk: Desk, found: Plan) -> Iterator[Callable[[Block], None]]:
    """Give what hears of each block that is done, and shows it to a person where there is much to do."""
    if not sys.stderr.isatty() or desk.settings.get("quiet") or len(found.blocks) < LONG:
        yield lambda block: None
        return
    with terminal.bar(sys.stderr, len(found.blocks), "migrating") as step:
        yield lambda block: step()
