"""What a connection of psycopg2 is asked again and again, prepared in the server: it parses and plans that once.

Rule 1: only what is asked outside a transaction is prepared. Whatever goes wrong with it, the plain statement is asked
        instead: the table has changed, or a pooler has given us the connection of somebody else.
Rule 2: a name is made of what it stands for: whoever shares a connection behind a pooler gets no other's statement.
"""

from __future__ import annotations

import hashlib
import re
from copy import copy
from typing import TYPE_CHECKING, Final

import psycopg2
from psycopg2 import errorcodes

from dataflow.executors.compiled import MOST_SHAPES, Compiled
from kailash._lazy import Late

if TYPE_CHECKING:
    import psycopg2.extensions as ext

    from dataflow.query import render
else:
    render = Late("dataflow.query.render")  # SQLAlchemy, which has been loaded where something was compiled

OFTEN: Final = 2  # times that a statement is asked before it is prepared; arbitrary: one that comes back
MOST: Final = 100  # statements of one connection, as many as asyncpg prepares by default: server memory
_PLACE: Final = re.compile("%[s%]")


class Prepared:
    """What one connection has prepared."""

    __slots__ = ("_count", "_cursor", "_known")

    def __init__(self, cursor: ext.cursor) -> None:
        self._cursor = cursor
        # How often it was asked; then what has the prepared statement run, or None where that cannot be.
        self._known: dict[Compiled, int | Compiled | None] = {}
        self._count = 0

    def find(self, compiled: Compiled) -> Compiled | None:
        """Return what has the prepared statement run, which is made at the first of many; or None."""
        known = self._known.get(compiled, 0)
        if not isinstance(known, int):
            return known
        if known < OFTEN:
            if len(self._known) >= MOST_SHAPES:  # what was not prepared is counted anew: no connection keeps it all
                self._known = {each: made for each, made in self._known.items() if isinstance(made, Compiled)}
            self._known[compiled] = known + 1
            return None
        made = self._known[compiled] = self._prepare(compiled)
        return made

    def forget(self, compiled: Compiled, fault: psycopg2.Error) -> bool:
        """Return whether the prepared statement was to blame for *fault*; then it is not run again."""
        blamed = (fault.pgcode or "")[:2] in _BLAMED
        if blamed:
            self._known[compiled] = None
        return blamed

    def _prepare(self, compiled: Compiled) -> Compiled | None:
        if self._count >= MOST:
            return None
        self._count += 1
        single = copy(compiled) if compiled.single is None else compiled.single()
        takes = f"({', '.join([render.parameter_type(each) for each in single.types])})" if single.types else ""
        places = iter(range(1, len(single.types) + 1))
        sql = _PLACE.sub(lambda found: f"${next(places)}" if found[0] == "%s" else "%", single.sql)
        name = f"dataflow_{hashlib.sha256(f'{takes} {sql}'.encode()).hexdigest()[:32]}"
        try:
            self._cursor.execute(f"PREPARE {name} {takes} AS {sql}")
        except psycopg2.Error as fault:
            if fault.pgcode != errorcodes.DUPLICATE_PREPARED_STATEMENT:
                return None
        single.sql = f"EXECUTE {name} ({', '.join(['%s'] * len(single.types))})" if takes else f"EXECUTE {name}"
        return single


_BLAMED: Final = (
    errorcodes.CLASS_SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION,
    errorcodes.CLASS_INVALID_SQL_STATEMENT_NAME,
    errorcodes.CLASS_FEATURE_NOT_SUPPORTED,  # "cached plan must not change result type"
)
