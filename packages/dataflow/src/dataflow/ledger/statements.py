"""Statements that say who writes, and those that read and keep the ledger. Imports SQLAlchemy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from dataflow.effects import FIRST, UNREAD
from dataflow.ledger.triggers import EVERYBODY, HEAD, SETTING, TABLE
from dataflow.model import types
from dataflow.model.spec import FieldSpec
from dataflow.query.render import Several

BIND: Final = "_told"


def setting() -> sa.Select[Any]:
    """SELECT that says who writes from here to the end of the transaction (PostgreSQL)."""
    return sa.select(_set().label(UNREAD))


def telling(statement: Any) -> Any:
    """Return *statement*, which writes, saying who writes before the triggers of its table ask (PostgreSQL).

    They run when all else of the statement is done; a subquery that depends on no row is asked once. An INSERT of one
    row says it with what it returns, which is half of a subquery's 10 us. A driver that sends text can say it in the
    same message, in a command before the statement (`FIRST`): there is nothing to plan in that, and it costs 5 us
    where the subquery costs 25.
    """
    told = _saying(statement)
    return told if told is statement else told.execution_options(**{FIRST: (f"SET LOCAL {SETTING} =", BIND, statement)})


def _saying(statement: Any) -> Any:
    once = sa.select(_set()).scalar_subquery()
    if isinstance(statement, sa.Update | sa.Delete):
        return statement.where(once.is_not(None))
    if isinstance(statement, sa.Insert):
        said = _set() if statement.select is None else once
        return statement.returning(said.is_(None).label(UNREAD))
    written = any(isinstance(getattr(each, "element", None), sa.sql.dml.UpdateBase) for each in _sources(statement))
    return statement.add_columns(once.is_(None).label(UNREAD)) if written else statement


def _sources(statement: Any) -> Any:
    return statement.get_final_froms() if isinstance(statement, sa.Select) else ()


def _set() -> sa.Function[str]:
    return sa.func.set_config(
        sa.literal_column(f"'{SETTING}'"), sa.bindparam(BIND, type_=sa.Text()), sa.true(), type_=sa.Text()
    )


# -- the ledger itself ---------------------------------------------------------------------------------------

TEXT: Final = sa.Text()
NUMBER: Final = types.plain_type(int)
MOMENT: Final = types.column_type(
    FieldSpec(name="at", python_type=datetime, annotation=datetime, nullable=False, default=None)
)
ROW: Final = {
    "sequence": NUMBER, "at": MOMENT, "model": TEXT, "event": TEXT, "record": TEXT, "before": TEXT, "after": TEXT,
    "tenant": TEXT, "actor": TEXT, "channel": TEXT, "request_id": TEXT, "operation": TEXT, "link": TEXT,
}  # fmt: skip
_ROW: Final = ", ".join(ROW)
LOCK: Final = 0x6461_7461_6368_616E  # "datachan"; the key of the advisory lock under which changes are numbered


def statement(name: str, *filters: str) -> sa.Executable:
    """Return the statement of that name; *filters*: the columns that a reading one is narrowed by, in order."""
    sql, binds, columns = STATEMENTS[name]
    wanted = "".join(f" AND {FILTERS[each][0]}" for each in filters)
    known = {**binds, **{f"_{each}": FILTERS[each][1] for each in filters}}
    return _text(sql.format(filters=wanted), known, columns)


def of(sql: str, binds: Mapping[str, type], columns: Mapping[str, type]) -> sa.Executable:
    """Return the statement *sql*; binds, columns: the Python types of what it is given and of what it returns."""
    kinds = {str: TEXT, int: NUMBER, datetime: MOMENT}
    return _text(
        sql, {name: kinds[kind] for name, kind in binds.items()}, {name: kinds[kind] for name, kind in columns.items()}
    )


def _text(sql: str, binds: Mapping[str, Any], columns: Mapping[str, Any]) -> sa.Executable:
    text = sa.text(sql).bindparams(*[sa.bindparam(bind, type_=type_) for bind, type_ in binds.items()])
    return text.columns(*[sa.column(column, kind) for column, kind in columns.items()]) if columns else text


FILTERS: Final[dict[str, tuple[str, Any]]] = {
    "model": ("model = :_model", TEXT),
    "record": (  # by the index, or among the few that are not chained yet
        (
            "((audited AND link IS NOT NULL AND record = :_record)"
            f" OR (sequence > (SELECT sealed FROM {HEAD}) AND record = :_record))"
        ),
        TEXT,
    ),
    "event": ("event = :_event", TEXT),
    "operation": ("operation = :_operation", TEXT),
    "actor": ("actor = :_actor", TEXT),
    "tenant": ("tenant = :_tenant", TEXT),
    "request_id": ("request_id = :_request_id", TEXT),
    "channel": ("channel = :_channel", TEXT),
    "after": ("at >= :_after", MOMENT),
    "before": ("at < :_before", MOMENT),
}
STATEMENTS: Final[dict[str, tuple[str, dict[str, Any], dict[str, Any]]]] = {
    "lock": (f"SELECT pg_advisory_xact_lock({LOCK})", {}, {}),
    "unnumbered": (
        f"SELECT count(*) AS n FROM (SELECT 1 FROM {TABLE} WHERE sequence IS NULL LIMIT 1) u",
        {},
        {"n": NUMBER},
    ),
    "number": (
        (
            f"WITH head AS (SELECT sequence FROM {HEAD}), placed AS ("
            f"SELECT place, row_number() OVER (ORDER BY position) + (SELECT sequence FROM head) AS n FROM ("
            f"SELECT ctid AS place, position FROM {TABLE} WHERE sequence IS NULL ORDER BY sequence, position"
            " LIMIT :_most) waiting"
            f"), done AS (UPDATE {TABLE} c SET sequence = p.n FROM placed p WHERE c.ctid = p.place"  # the lock holds it
            " RETURNING c.sequence)"
            f" UPDATE {HEAD} SET sequence = greatest(sequence, coalesce((SELECT max(sequence) FROM done), 0))"
        ),
        {"_most": NUMBER},
        {},
    ),
    "all tenants": (
        (
            f"INSERT INTO {TABLE} (at, model, event, record, after, actor, channel, request_id, operation, audited)"
            f" VALUES (:_at, :_model, '{EVERYBODY}', '', :_reason, :_actor, :_channel, :_request_id, :_operation, true)"
        ),
        {
            "_at": MOMENT,
            **dict.fromkeys(("_model", "_reason", "_actor", "_channel", "_request_id", "_operation"), TEXT),
        },
        {},
    ),
    "last on postgresql": (f"SELECT sequence FROM {HEAD}", {}, {"sequence": NUMBER}),
    "last on sqlite": (
        f"SELECT coalesce(max(seq), 0) AS sequence FROM sqlite_sequence WHERE name = '{TABLE}'",
        {},
        {"sequence": NUMBER},
    ),
    "read": (
        (
            f"SELECT {_ROW} FROM {TABLE} WHERE sequence > :_since AND event <> '{EVERYBODY}'{{filters}}"
            " ORDER BY sequence LIMIT :_most"
        ),
        {"_since": NUMBER, "_most": NUMBER},
        ROW,
    ),
    "entries": (
        f"SELECT {_ROW} FROM {TABLE} WHERE audited AND sequence > :_since{{filters}} ORDER BY sequence LIMIT :_most",
        {"_since": NUMBER, "_most": NUMBER},
        ROW,
    ),
    "latest entries": (
        (
            f"SELECT {_ROW} FROM {TABLE} WHERE audited AND sequence < :_until{{filters}}"
            " ORDER BY sequence DESC LIMIT :_most"
        ),
        {"_until": NUMBER, "_most": NUMBER},
        ROW,
    ),
    "head": (
        f"SELECT sealed, entries, purged, link, base FROM {HEAD}",
        {},
        {"sealed": NUMBER, "entries": NUMBER, "purged": NUMBER, "link": TEXT, "base": TEXT},
    ),
    "seal on postgresql": (
        (
            f"UPDATE {TABLE} c SET link = s.link FROM"
            " unnest(CAST(:_sequences AS BIGINT[]), CAST(:_links AS TEXT[])) AS s(sequence, link)"
            " WHERE c.sequence = s.sequence"
        ),
        {"_sequences": Several(NUMBER), "_links": Several(TEXT)},
        {},
    ),
    "seal on sqlite": (
        f"UPDATE {TABLE} SET link = :_link WHERE sequence = :_sequence",
        {"_sequence": NUMBER, "_link": TEXT},
        {},
    ),
    "sealed": (
        f"UPDATE {HEAD} SET sealed = :_sealed, entries = :_entries, link = :_link",
        {"_sealed": NUMBER, "_entries": NUMBER, "_link": TEXT},
        {},
    ),
    "rebase": (
        f"UPDATE {HEAD} SET base = :_base, entries = entries - :_gone",
        {"_base": TEXT, "_gone": NUMBER},
        {},
    ),
    "last change to go": (
        f"SELECT max(sequence) AS sequence FROM {TABLE} WHERE NOT audited AND at < :_before",
        {"_before": MOMENT},
        {"sequence": NUMBER},
    ),
    "purge changes": (
        f"DELETE FROM {TABLE} WHERE NOT audited AND sequence <= :_sequence AND at < :_before",
        {"_sequence": NUMBER, "_before": MOMENT},
        {},
    ),
    "purged": (f"UPDATE {HEAD} SET purged = :_sequence WHERE purged < :_sequence", {"_sequence": NUMBER}, {}),
    "last entry to go": (
        (
            f"SELECT sequence, link FROM {TABLE} WHERE audited AND link IS NOT NULL AND sequence <"
            f" coalesce((SELECT min(sequence) FROM {TABLE} WHERE audited AND at >= :_before), 9223372036854775807)"
            " ORDER BY sequence DESC LIMIT 1"
        ),
        {"_before": MOMENT},
        {"sequence": NUMBER, "link": TEXT},
    ),
    "purge entries": (f"DELETE FROM {TABLE} WHERE audited AND sequence <= :_sequence", {"_sequence": NUMBER}, {}),
}
