"""Random models of two tables, as Hypothesis draws them."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from decimal import Decimal
from typing import Annotated, Any, Literal

import annotated_types as at
from hypothesis import note
from hypothesis import strategies as st

from dataflow.model.declare import declare
from dataflow.model.registry import Models
from dataflow.model.spec import ForeignKey


class Mood(enum.Enum):
    SAD = "sad"
    GLAD = "glad"


class Moods(enum.Enum):
    SAD = "sad"
    GLAD = "glad"
    CALM = "calm"


# annotation -> defaults that it may have
KINDS: list[tuple[Any, list[Any]]] = [
    (str, ["", "it's", "a:b"]),
    (Annotated[str, at.MaxLen(10)], ["x"]),
    (Annotated[str, at.MinLen(1), at.MaxLen(30)], ["y"]),
    (int, [0, -5]),
    (Annotated[int, at.Ge(0)], [3]),
    (Annotated[int, at.Gt(-2), at.Le(100)], [1]),
    (float, [0.5, 1e300]),
    (Annotated[float, at.Lt(10)], [-1.5]),
    (bool, [True, False]),
    (Decimal, [Decimal("1.50")]),
    (dt.datetime, []),
    (dt.date, []),
    (uuid.UUID, []),
    (bytes, []),
    (list[str], [["a"]]),
    (dict[str, int], []),
    (Mood, [Mood.GLAD]),
    (Moods, [Moods.CALM]),
    (Literal["s", "m"], ["m"]),
]


@st.composite
def fields(draw: st.DrawFn) -> tuple[Any, ...]:
    kind, defaults = draw(st.sampled_from(KINDS))
    if draw(st.booleans()):
        return (kind | None if isinstance(kind, type) else kind, *([None] if isinstance(kind, type) else []))
    if defaults and draw(st.booleans()):
        return (kind, draw(st.sampled_from(defaults)))
    return (kind,)


@st.composite
def models(draw: st.DrawFn) -> Models:
    """Draw ``Item`` and perhaps ``Line``, which points to it."""
    made = Models()
    made.register(declare(_class("Item", draw(st.dictionaries(st.sampled_from("abcde"), fields(), min_size=1)), draw)))
    if draw(st.booleans()):
        drawn = draw(st.dictionaries(st.sampled_from("pqr"), fields()))
        on_delete = draw(st.sampled_from(["cascade", "restrict"]))
        kinds: list[Any] = [int, Annotated[int, ForeignKey("Item.id", on_delete=on_delete)]]
        made.register(declare(_class("Line", {**drawn, "item_id": (draw(st.sampled_from(kinds)),)}, draw)))
    note("; ".join(f"{model.name}: {[(f.name, f.annotation, f.default) for f in model.spec.fields]}" for model in made))
    return made


def _class(name: str, drawn: dict[str, tuple[Any, ...]], draw: st.DrawFn) -> type:
    body: dict[str, Any] = {"__annotations__": {field: said[0] for field, said in drawn.items()}}
    body |= {field: said[1] for field, said in drawn.items() if len(said) > 1}
    indexed = draw(st.lists(st.lists(st.sampled_from(sorted(drawn)), min_size=1, max_size=2, unique=True), max_size=2))
    names = dict.fromkeys(map(tuple, indexed))
    body["__indexes__"] = [{"fields": [*columns], "unique": draw(st.booleans())} for columns in names]
    return type(name, (), body)
