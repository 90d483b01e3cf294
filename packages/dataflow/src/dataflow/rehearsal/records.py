"""Records that fit a model, made for a rehearsal: what its annotations ask for, pointing to records that are there.

Rule 1: a field that may be left out is left out, so that its default is tried as well.
Rule 2: what a pattern or a rule of the program's own asks for is taken from a record that is there. Where there is
        none, `UnmadeError` says so, which is no fault of the schema.
"""

from __future__ import annotations

import datetime as dt
import enum
import secrets
import typing
import uuid
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from itertools import count
from typing import Any, Final

from dataflow.database import DataFlow
from dataflow.model.relations import Relation
from dataflow.model.spec import FieldSpec, ModelSpec
from kailash.shapes import REQUIRED, RefusedError, Rules, compile_check, unfold

Record = dict[str, Any]


class UnmadeError(Exception):
    """No record of a model could be made; the message says why."""


class Records:
    """Makes records in one database, each unlike those before."""

    def __init__(self, db: DataFlow) -> None:
        self._db = db
        self._numbers = count(secrets.randbelow(1_000_000) + 1_000_000)
        self._making: list[str] = []

    def make(self, model: str) -> Record:
        """Return what a caller would give to create one. Raises: UnmadeError; what storing a parent raises."""
        if model in self._making:
            raise UnmadeError(f"{' and '.join(self._making)} need each other first")
        self._making.append(model)
        try:
            return self._made(self._db.spec(model))
        finally:
            self._making.pop()

    def _made(self, spec: ModelSpec) -> Record:
        parents = {each.field: each for each in self._db.models[spec.name].relations.values() if _is_key(each)}
        unique = {name for key in spec.keys for name in key}
        found = {}
        for field in spec.fields:
            if field.managed or field.autoincrement or field.generated or not _wanted(field, unique):
                continue
            parent = parents.get(field.name)
            if parent is not None:
                found[field.name] = self._parent(parent, fresh=field.name in unique)
            else:
                found[field.name] = self._value(spec, field)
        return found

    def _parent(self, relation: Relation, *, fresh: bool) -> Any:
        """Return the key of a record that is there, or of one made for it."""
        express = self._db.express_sync
        there = [] if fresh else express.list(relation.target, limit=1)
        record = there[0] if there else express.create(relation.target, self.make(relation.target))
        return record[relation.target_field]

    def _value(self, spec: ModelSpec, field: FieldSpec) -> Any:
        check = compile_check(field.annotation)
        for candidate in self._candidates(spec, field):
            try:
                return check(candidate)
            except RefusedError:
                continue
        raise UnmadeError(f"no value of {field.name} is known that its annotation accepts")

    def _candidates(self, spec: ModelSpec, field: FieldSpec) -> Iterator[Any]:
        unfolded = unfold(field.annotation)
        if typing.get_origin(unfolded.core) is typing.Literal:
            yield from typing.get_args(unfolded.core)
            return
        kind = typing.get_origin(unfolded.core) or unfolded.core
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            yield from kind
            return
        yield MADE[kind](next(self._numbers), unfolded.rules)
        for record in self._db.express_sync.list(spec.name, limit=1):
            yield record[field.name]


def _is_key(relation: Relation) -> bool:
    return relation.key is not None and not relation.many


def _wanted(field: FieldSpec, unique: set[str]) -> bool:
    """Whether a record must be given it: it has no default, or one that every record would share."""
    if field.nullable:
        return False
    return field.default is REQUIRED or (field.name in unique and not callable(field.default))


# -- values of each type -------------------------------------------------------------------------------------


def _whole(number: int, rules: Rules) -> int:
    """Return a number within the bounds, another one for each *number* where there is room."""
    step = int(rules.multiple_of or 1)
    low = _low(rules, 1)
    high = _high(rules, low + 2**30)
    if rules.ge is None and rules.gt is None and high < low:
        low = high - 2**30
    low = -(-low // step) * step
    return low + number % max((high - low) // step + 1, 1) * step


def _low(rules: Rules, otherwise: int) -> int:
    if rules.ge is not None:
        return -int(-rules.ge // 1)
    return int(rules.gt // 1) + 1 if rules.gt is not None else otherwise


def _high(rules: Rules, otherwise: int) -> int:
    if rules.le is not None:
        return int(rules.le // 1)
    return -int(-rules.lt // 1) - 1 if rules.lt is not None else otherwise


def _fraction(number: int, rules: Rules) -> Any:
    """Return a whole number where one fits, else the middle of the bounds."""
    whole = _whole(number % 1000, rules)
    low, high = rules.ge if rules.ge is not None else rules.gt, rules.le if rules.le is not None else rules.lt
    fits = (low is None or whole > low) and (high is None or whole < high)
    return whole if fits or low is None or high is None else (low + high) / 2


def _text(number: int, rules: Rules) -> str:
    words = f"rehearsal {number}"
    if rules.max_length is not None and len(words) > rules.max_length:
        words = f"{number:x}"[-rules.max_length :] if rules.max_length else ""
    return words.ljust(rules.min_length or 0, "x")


def _moment(number: int, rules: Rules) -> dt.datetime:
    now = dt.datetime.now(dt.UTC).replace(microsecond=number % 1_000_000)
    return now.replace(tzinfo=None) if rules.zone == "naive" else now


MADE: Final[Mapping[Any, Callable[[int, Rules], Any]]] = {
    str: _text,
    int: _whole,
    float: lambda number, rules: float(_fraction(number, rules)),
    Decimal: lambda number, rules: Decimal(str(_fraction(number, rules))),
    bool: lambda number, rules: False,
    bytes: lambda number, rules: _text(number, rules).encode(),
    dt.datetime: _moment,
    dt.date: lambda number, rules: dt.date(2000, 1, 1) + dt.timedelta(days=number % 10_000),
    dt.time: lambda number, rules: dt.time(number % 24, number % 60, number % 60),
    dt.timedelta: lambda number, rules: dt.timedelta(seconds=number),
    uuid.UUID: lambda number, rules: uuid.uuid4(),
    dict: lambda number, rules: {},
    list: lambda number, rules: [],
}
