"""What SQLite must be taught so that a statement means there what it means on PostgreSQL and in memory.

Every connection is taught by `register`; the names are used by `dataflow.query.render` and `dataflow.model.types`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal, Inexact, localcontext
from functools import lru_cache, partial
from typing import Any, Final

from dataflow.executors import sqlite_totals
from dataflow.ledger.spelling import NUMBER, OWN
from kailash.conditions import json_values, patterns
from kailash.shapes import decode_json

DECIMAL_COLLATION: Final = "dataflow_decimal"
_DIGITS: Final = 1_000  # of a product; PostgreSQL keeps all of a NUMERIC's as well
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1


def register(connection: sqlite3.Connection) -> None:
    """Teach *connection* our functions and collation."""
    for name, arguments, function in (*_FUNCTIONS, *sqlite_totals.FUNCTIONS):
        connection.create_function(name, arguments, function, deterministic=True)
    for name, total in sqlite_totals.AGGREGATES:
        connection.create_aggregate(name, 1, total)
    connection.create_collation(DECIMAL_COLLATION, _compare)
    connection.execute("PRAGMA case_sensitive_like = ON")


def compiled_with(option: str) -> bool:
    """Whether SQLite was built with *option*, for a connection on which this question has an answer of ours."""
    with closing(sqlite3.connect(":memory:")) as connection:
        return bool(connection.execute(f"SELECT {OWN}(?)", (option,)).fetchone()[0])


def _regexp(pattern: str, text: str | None) -> bool | None:
    return None if text is None else patterns.search(pattern, text)


def _json_same(stored: str | None, wanted: str) -> bool | None:
    return None if stored is None else json_values.same(decode_json(stored), _decoded(wanted))


def _json_has(stored: str | None, wanted: str) -> bool | None:
    return None if stored is None else json_values.has(decode_json(stored), _decoded(wanted)[0])


@lru_cache(maxsize=64)
def _decoded(wanted: str) -> Any:
    """The operand is the same for every row of a statement."""
    return decode_json(wanted)


def _key(stored: bytes | float | None) -> str | None:
    """Return a float or bytes as `dataflow.query.render` writes them into a JSON list."""
    if stored is None:
        return None
    return stored.hex() if isinstance(stored, bytes) else repr(stored + 0.0)


def _compare(one: str, other: str) -> int:
    """Order two decimal numbers by value; the collation of columns that hold them."""
    if one == other:
        return 0
    first, second = Decimal(one), Decimal(other)
    return (first > second) - (first < second)


def _calculate(calculation: Callable[[Any, Any], Any], stored: Any, operand: Any) -> Any:
    """Return the result in the type of what is stored.

    An OverflowError is what `sqlite3` reports as SQLITE_TOOBIG: SQLite itself would turn an int into a float, and a
    float into infinity, where PostgreSQL refuses.
    """
    if stored is None or operand is None:
        return None
    if isinstance(stored, str):
        return _calculate_decimal(calculation, Decimal(stored), Decimal(str(operand)))
    result = calculation(stored, operand)
    if isinstance(result, int) and not _LOWEST <= result <= _HIGHEST:
        raise OverflowError
    if isinstance(result, float) and result - result != 0.0:
        raise OverflowError
    return result


def _calculate_decimal(calculation: Callable[[Any, Any], Any], stored: Decimal, operand: Decimal) -> str:
    with localcontext() as context:
        context.prec = _DIGITS
        context.clear_flags()
        result: Decimal = calculation(stored, operand)
        if context.flags[Inexact]:
            raise OverflowError
    return format(result, "f")


_FUNCTIONS: Final[tuple[tuple[str, int, Callable[..., Any]], ...]] = (
    ("regexp", 2, _regexp),
    ("dataflow_json_same", 2, _json_same),
    ("dataflow_json_has", 2, _json_has),
    ("dataflow_key", 1, _key),
    (NUMBER, 1, float.__repr__),
    ("dataflow_add", 2, partial(_calculate, lambda stored, operand: stored + operand)),
    ("dataflow_subtract", 2, partial(_calculate, lambda stored, operand: stored - operand)),
    ("dataflow_multiply", 2, partial(_calculate, lambda stored, operand: stored * operand)),
)
