"""Differences between what is there and what is wanted, without a database."""

from __future__ import annotations

import pytest

from dataflow.schema import diff
from dataflow.schema.changes import Change, CreateIndex, CreateTable
from dataflow.schema.state import Column, Dialect, Index, SchemaState, Table


def state(*tables: Table) -> SchemaState:
    return SchemaState({table.name: table for table in tables})


def of_type(kind: str) -> SchemaState:
    return state(Table("t", (Column("c", kind),)))


def test_a_state_does_not_differ_from_itself() -> None:
    same = state(Table("t", (Column("c", "text"),), ("c",), (Index(("c",), True, "uq"),)))

    assert (diff.missing(same, same), diff.differences(same, same, "postgresql")) == ((), [])


@pytest.mark.parametrize(
    ("dialect", "have", "want", "fits"),
    [
        ("postgresql", "character varying", "text", True),
        ("postgresql", "text", "character varying(20)", True),
        ("postgresql", "character varying(40)", "character varying(20)", True),
        ("postgresql", "character varying(10)", "character varying(20)", False),
        ("postgresql", "character varying(10)", "text", False),
        ("postgresql", "integer", "bigint", False),
        ("postgresql", "json", "jsonb", False),
        ("postgresql", "timestamp without time zone", "timestamp with time zone", False),
        ("sqlite", "int", "integer", True),
        ("sqlite", "varchar(20)", "text", True),
        ("sqlite", "text", "integer", False),
        ("sqlite", "", "text", False),
    ],
)
def test_a_type_fits_when_it_keeps_every_value(dialect: Dialect, have: str, want: str, fits: bool) -> None:
    assert (diff.differences(of_type(have), of_type(want), dialect) == []) is fits


def test_an_index_of_another_name_is_as_good_and_a_unique_one_serves_as_a_plain_one() -> None:
    columns = (Column("c", "text"),)
    have = state(Table("t", columns, (), (Index(("c",), True, "by_hand"),)))
    want = state(Table("t", columns, (), (Index(("c",), False, "ix_t_c"), Index(("c",), True, "uq_t_c"))))

    assert diff.missing(have, want) == ()
    assert diff.missing(state(Table("t", columns)), want) == (CreateIndex("t", "ix_t_c"), CreateIndex("t", "uq_t_c"))


@pytest.mark.parametrize("change", [CreateTable("t"), CreateIndex("t", "i")])
def test_a_change_knows_its_reverse(change: Change) -> None:
    assert change.reverse() != change
    assert change.reverse().reverse() == change
