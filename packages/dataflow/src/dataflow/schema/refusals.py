"""What stops a pass, in words that say what to do.

Rule: each function here raises or does nothing; whoever calls it has changed nothing yet.
"""

from __future__ import annotations

from collections.abc import Sequence

from dataflow.errors import MigrationRefusedError, SchemaMismatchError
from dataflow.schema.plan import Plan, Step, described


def refuse(differences: Sequence[str]) -> None:
    """Raise SchemaMismatchError, unless there is no difference."""
    if differences:
        raise SchemaMismatchError(
            "the database is not what the models say: " + "; ".join(differences),
            hint="change the models or the tables; with existing_schema_mode nothing is changed here",
        )


def refuse_plan(plan: Plan, accept: str) -> None:
    """Raise MigrationRefusedError unless *plan* may happen. *accept*: the name of the plan that somebody agrees to."""
    if plan.obstacles:
        raise MigrationRefusedError(
            f"the schema cannot follow the models: {'; '.join(plan.obstacles)}; nothing was changed",
            hint="change the models as said, or the tables by hand",
            plan=plan.name,
        )
    if plan.consent and accept != plan.name:
        said = "; ".join(sentences(plan))
        stale = f"the plan is another one by now than {accept}: " if accept else ""
        raise MigrationRefusedError(
            f"{stale}the schema does not follow the models by itself: {said}; nothing was changed",
            hint=f"look with `dataflow plan`, then apply it with `dataflow migrate --accept {plan.name}`",
            plan=plan.name,
        )


def refuse_under_alembic(plan: Plan) -> None:
    """Raise MigrationRefusedError where something would have to change in a database that Alembic shapes."""
    if plan.changes or plan.obstacles:
        raise MigrationRefusedError(
            f"this database is under Alembic, and {len(plan.changes)} changes are wanted; nothing was changed",
            hint=f"`dataflow migrate --emit alembic` writes the revision; --accept {plan.name} does it from here",
            plan=plan.name,
        )


def sentences(plan: Plan) -> list[str]:
    """Return the steps that somebody must agree to, with their reasons."""
    return [f"{described(step.change)} ({'; '.join(_reasons(step))})" for step in plan.consent]


def _reasons(step: Step) -> list[str]:
    return [step.risk.reason, *([f"loses {step.risk.loses}"] if step.risk.loses else []), *step.effects]
