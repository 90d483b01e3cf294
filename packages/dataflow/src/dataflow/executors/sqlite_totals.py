"""What aggregates need of SQLite: Decimals that are calculated with, and the beginnings of days and months.

`dataflow.operations.totals` writes the SQL that uses these names.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, Inexact, localcontext
from typing import Any, Final

_DIGITS: Final = 1_000  # of a sum or a product; PostgreSQL keeps all of a NUMERIC's as well
_PLACE: Final = Decimal(1).scaleb(-16)  # of a quotient


def _text(number: Decimal) -> str:
    return format(number, "f")


def _exactly(calculate: Callable[[Decimal, Decimal], Decimal]) -> Callable[[Any, Any], str | None]:
    def function(one: Any, other: Any) -> str | None:
        if one is None or other is None:
            return None
        with localcontext() as context:
            context.prec = _DIGITS
            context.clear_flags()
            result = calculate(Decimal(str(one)), Decimal(str(other)))
            if context.flags[Inexact]:
                raise OverflowError
        return _text(result)

    return function


def _quotient(one: Decimal, other: Decimal) -> str | None:
    with localcontext() as context:
        context.prec = _DIGITS
        return _text((one / other).quantize(_PLACE, ROUND_HALF_UP)) if other else None


def _divide_decimals(one: Any, other: Any) -> str | None:
    return None if one is None or other is None else _quotient(Decimal(str(one)), Decimal(str(other)))


def _divide(one: float | None, other: float | None) -> float | None:
    return None if one is None or not other else float(one) / float(other)


def _compare(one: Any, other: Any) -> int | None:
    if one is None or other is None:
        return None
    first, second = Decimal(str(one)), Decimal(str(other))
    return (first > second) - (first < second)


class Sum:
    """The exact sum of decimal texts; 0 of none."""

    def __init__(self) -> None:
        self.sum = Decimal(0)
        self.count = 0

    def step(self, value: Any) -> None:
        """Take one row."""
        if value is not None:
            with localcontext() as context:
                context.prec = _DIGITS
                self.sum += Decimal(str(value))
            self.count += 1

    def finalize(self) -> str | None:
        """Return the result."""
        return _text(self.sum)


class Average(Sum):
    """Their average, to 16 places; nothing of none."""

    def finalize(self) -> str | None:
        """Return the result."""
        return _quotient(self.sum, Decimal(self.count))


def _truncate(unit: str, text: str | None) -> str | None:
    """Return the beginning of the year, the month, ... that a stored date or datetime is in, as it is stored."""
    if text is None:
        return None
    if len(text) == len("2024-01-31"):
        return _beginning(unit, date.fromisoformat(text)).isoformat()
    moment = datetime.fromisoformat(text)
    if unit in _CLOCK:
        return _CLOCK[unit](moment).isoformat(timespec="microseconds")
    day = _beginning(unit, moment.date())
    midnight = datetime(day.year, day.month, day.day, tzinfo=moment.tzinfo)
    return midnight.isoformat(timespec="microseconds")


def _beginning(unit: str, day: date) -> date:
    match unit:
        case "year":
            return day.replace(month=1, day=1)
        case "quarter":
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case "month":
            return day.replace(day=1)
        case "week":
            return day - timedelta(days=day.weekday())
        case _:
            return day


_CLOCK: Final[dict[str, Callable[[datetime], datetime]]] = {
    "hour": lambda moment: moment.replace(minute=0, second=0, microsecond=0),
    "minute": lambda moment: moment.replace(second=0, microsecond=0),
    "second": lambda moment: moment.replace(microsecond=0),
}
FUNCTIONS: Final[tuple[tuple[str, int, Callable[..., Any]], ...]] = (
    ("dataflow_decimal_add", 2, _exactly(lambda one, other: one + other)),
    ("dataflow_decimal_subtract", 2, _exactly(lambda one, other: one - other)),
    ("dataflow_decimal_multiply", 2, _exactly(lambda one, other: one * other)),
    ("dataflow_decimal_divide", 2, _divide_decimals),
    ("dataflow_divide", 2, _divide),
    ("dataflow_compare", 2, _compare),
    ("dataflow_trunc", 2, _truncate),
)
AGGREGATES: Final[tuple[tuple[str, Any], ...]] = (("dataflow_sum", Sum), ("dataflow_avg", Average))
