"""What a field may say of its column, and a model of its time stamps."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import pytest

from dataflow import Column, ForeignKey
from dataflow.errors import ModelError
from dataflow.model.declare import declare

Small = Annotated[int, Column(type="smallint")]


def test_a_column_has_the_name_and_the_type_that_are_said() -> None:
    class Thing:
        rank: Annotated[Small | None, Column("Rank")] = None
        name: Annotated[str, Column("name")]

    spec = declare(Thing)

    assert (spec.by_name["rank"].stored_as, spec.by_name["rank"].column_type) == ("Rank", "smallint")
    assert (spec.by_name["name"].stored_as, spec.by_name["name"].column) == ("name", "")


@pytest.mark.parametrize("kind", [int, str, UUID])
def test_an_id_that_callers_give_is_required(kind: type) -> None:
    thing = type("Thing", (), {"__annotations__": {"id": Annotated[kind, Column(made=False)], "name": str}})

    assert "id" in declare(thing).settable.schema()["required"]


def test_a_model_may_have_no_time_stamps() -> None:
    class Thing:
        name: str
        __dataflow__ = {"timestamps": False}

    assert [*declare(Thing).by_name] == ["id", "name"]


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (Column('a"b'), "the name of the column"),
        (Column("a.b"), "the name of the column"),
        (Column(type="int; DROP TABLE x"), "the type of the column"),
        (Column(type="int)--"), "the type of the column"),
        (Column(type="'"), "the type of the column"),
    ],
)
def test_names_and_types_of_no_use_are_refused(column: Column, words: str) -> None:
    thing = type("Thing", (), {"__annotations__": {"rank": Annotated[int, column]}})

    with pytest.raises(ModelError, match=words):
        declare(thing)


def test_two_fields_of_one_column_are_refused() -> None:
    class Thing:
        one: Annotated[int, Column("it")]
        two: Annotated[int, Column("IT")]

    with pytest.raises(ModelError, match="differ in case alone"):
        declare(Thing)


def test_a_foreign_key_may_do_nothing_or_set_a_default_on_delete() -> None:
    class Thing:
        a_id: Annotated[int, ForeignKey("A.id", on_delete="no action")]
        b_id: Annotated[int, ForeignKey("B.id", on_delete="set default")] = 1

    keys = [field.foreign_key for field in declare(Thing).fields if field.foreign_key]
    assert [key.on_delete for key in keys] == ["no action", "set default"]
