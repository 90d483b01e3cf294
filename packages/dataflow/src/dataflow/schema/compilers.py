"""SQLAlchemy's dialects, which spell types; the one that is asked for is imported then, 0.7 MB or more each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.engine.interfaces import Dialect as Compiler

from dataflow.schema.state import Dialect
from kailash._lazy import Late

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql import psycopg2
    from sqlalchemy.dialects.sqlite import pysqlite
else:
    psycopg2, pysqlite = Late("sqlalchemy.dialects.postgresql.psycopg2"), Late("sqlalchemy.dialects.sqlite.pysqlite")


def compiler_of(dialect: Dialect) -> Compiler:
    """Return SQLAlchemy's dialect of that name."""
    if dialect == "sqlite":
        return pysqlite.dialect()
    return psycopg2.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
