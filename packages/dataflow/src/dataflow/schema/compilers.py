"""SQLAlchemy's dialects, which spell types. Imports SQLAlchemy."""

from __future__ import annotations

from sqlalchemy.dialects.postgresql import psycopg2
from sqlalchemy.dialects.sqlite import pysqlite
from sqlalchemy.engine.interfaces import Dialect as Compiler

from dataflow.schema.state import Dialect


def compiler_of(dialect: Dialect) -> Compiler:
    """Return SQLAlchemy's dialect of that name."""
    if dialect == "sqlite":
        return pysqlite.dialect()
    return psycopg2.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
