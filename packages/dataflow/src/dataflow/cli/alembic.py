"""A plan as a revision of Alembic: the statements of `dataflow migrate`, and those that undo them.

Alembic itself is not needed: a revision is a Python file that names the one before it.
"""

from __future__ import annotations

import ast
import configparser
from pathlib import Path

from dataflow.errors import MigrationRefusedError
from dataflow.schema.plan import Plan, described
from kailash.errors import ConfigurationError

TEMPLATE = '''"""{title}

Revision ID: {revision}
Revises: {former}
"""

from alembic import op

revision = "{revision}"
down_revision = {former!r}
branch_labels = None
depends_on = None


def upgrade() -> None:
{upgrade}


def downgrade() -> None:
{downgrade}
'''


def write(plan: Plan, back: Plan, folder: Path) -> Path:
    """Write the revision that does *plan*, and whose downgrade does *back*; return its path.

    folder: where ``alembic.ini`` is. Raises: ConfigurationError; MigrationRefusedError for what cannot be done at all.
    """
    if plan.obstacles:
        raise MigrationRefusedError(f"there is no revision for this: {'; '.join(plan.obstacles)}", plan=plan.name)
    if not plan.changes:
        raise ConfigurationError("there is nothing to write a revision of", hint="the schema is what the models say")
    versions = _versions(folder)
    text = TEMPLATE.format(
        title="; ".join(map(described, plan.changes))[:100],
        revision=plan.name,
        former=_head(versions),
        upgrade=_body(plan),
        downgrade=_body(back),
    )
    path = versions / f"{plan.name}_follow_the_models.py"
    path.write_text(text, encoding="utf-8")
    return path


def _body(plan: Plan) -> str:
    lines = [
        f"    op.execute({statement!r})"
        if not block.concurrent
        else f"    with op.get_context().autocommit_block():\n        op.execute({statement!r})"
        for block in plan.blocks
        for statement in block.statements
    ]
    return "\n".join(lines) or "    pass"


def _versions(folder: Path) -> Path:
    ini = folder / "alembic.ini"
    if not ini.is_file():
        raise ConfigurationError("there is no alembic.ini here", hint="run this where Alembic runs")
    read = configparser.ConfigParser(defaults={"here": str(folder)}, interpolation=configparser.BasicInterpolation())
    read.read(ini, encoding="utf-8")
    place = folder / read.get("alembic", "script_location", fallback="alembic") / "versions"
    if not place.is_dir():
        raise ConfigurationError(f"there is no folder {place.name} for revisions where alembic.ini says")
    return place


def _head(versions: Path) -> str | None:
    """Return the latest revision, which no other one revises. Raises: ConfigurationError where there are several."""
    revisions, former = set(), set()
    for path in versions.glob("*.py"):
        said = _assigned(ast.parse(path.read_bytes(), filename=str(path)))
        revisions.add(said.get("revision"))
        down = said.get("down_revision")
        former |= {*down} if isinstance(down, tuple | list) else {down}
    heads = sorted(str(each) for each in revisions - former - {None})
    if len(heads) > 1:
        raise ConfigurationError(f"Alembic has several heads: {', '.join(heads)}", hint="merge them first")
    return heads[0] if heads else None


def _assigned(tree: ast.Module) -> dict[str, object]:
    found: dict[str, object] = {}
    for statement in tree.body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ) if name in ("revision", "down_revision"):
                found[name] = ast.literal_eval(value)
            case _:
                pass
    return found
