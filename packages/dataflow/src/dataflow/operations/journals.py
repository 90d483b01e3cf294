"""The statements of the journals of durable runs. Imports SQLAlchemy; used by `dataflow.runs`."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from dataflow.query.render import Several

TEXT: Final = sa.Text()
RUN: Final = ("run_id", "workflow", "name", "given", "status", "owner")
_SELECT: Final = f"SELECT {', '.join(RUN)} FROM dataflow_runs"


def statement(name: str) -> sa.Executable:
    """Return the statement of that name."""
    sql, binds, columns = STATEMENTS[name]
    text = sa.text(sql).bindparams(*[sa.bindparam(bind, type_=type_) for bind, type_ in binds.items()])
    return text.columns(*[sa.column(column, TEXT) for column in columns]) if columns else text


def _binds(*names: str, **others: Any) -> dict[str, Any]:
    return {**dict.fromkeys(names, TEXT), **others}


STATEMENTS: Final[dict[str, tuple[str, dict[str, Any], tuple[str, ...]]]] = {
    "add": (
        (
            "INSERT INTO dataflow_runs (run_id, workflow, name, given, status, owner)"
            " VALUES (:run, :workflow, :name, :given, 'running', :owner)"
            " ON CONFLICT (run_id) DO NOTHING RETURNING run_id"
        ),
        _binds("run", "workflow", "name", "given", "owner"),
        ("run_id",),
    ),
    "load": (f"{_SELECT} WHERE run_id = :run", _binds("run"), RUN),
    "steps": ("SELECT path, output FROM dataflow_steps WHERE run_id = :run", _binds("run"), ("path", "output")),
    "own": (
        (
            "UPDATE dataflow_runs SET status = 'running', owner = :owner"
            " WHERE run_id = :run AND status = :status AND owner = :former RETURNING run_id"
        ),
        _binds("run", "owner", "former", "status"),
        ("run_id",),
    ),
    "finish": ("UPDATE dataflow_runs SET status = :status WHERE run_id = :run", _binds("run", "status"), ()),
    "unfinished": (f"{_SELECT} WHERE status = 'running' ORDER BY number", {}, RUN),
    "recent": (f"{_SELECT} ORDER BY number DESC LIMIT :most", {"most": sa.Integer()}, RUN),
    "keep on postgresql": (
        (
            "INSERT INTO dataflow_steps (run_id, path, output)"
            " SELECT CAST(:run AS TEXT), * FROM unnest(CAST(:paths AS TEXT[]), CAST(:outputs AS TEXT[]))"
            " ON CONFLICT DO NOTHING"
        ),
        _binds("run", paths=Several(TEXT), outputs=Several(TEXT)),
        (),
    ),
    "keep on sqlite": (
        (
            "INSERT OR IGNORE INTO dataflow_steps (run_id, path, output) SELECT :run, p.value, o.value"
            " FROM json_each(:paths) AS p JOIN json_each(:outputs) AS o ON o.key = p.key"
        ),
        _binds("run", paths=Several(TEXT), outputs=Several(TEXT)),
        (),
    ),
}
