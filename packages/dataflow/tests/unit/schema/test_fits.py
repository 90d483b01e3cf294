"""Which types keep which values, without a database."""

from __future__ import annotations

import pytest

from dataflow.schema import fits
from dataflow.schema.state import Column, Dialect, SchemaState, Table


def of_type(kind: str) -> SchemaState:
    return SchemaState({"t": Table("t", (Column("c", kind),))})


@pytest.mark.parametrize(
    ("dialect", "have", "want", "fitting"),
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
def test_a_type_fits_when_it_keeps_every_value(dialect: Dialect, have: str, want: str, fitting: bool) -> None:
    assert fits.fits(have, want, dialect) is fitting
    assert (fits.differences(of_type(have), of_type(want), dialect) == []) is fitting


@pytest.mark.parametrize(
    ("dialect", "have", "want", "wider", "in_place"),
    [
        ("postgresql", "character varying(10)", "character varying(20)", True, True),
        ("postgresql", "character varying(10)", "text", True, True),
        ("postgresql", "character varying(20)", "character varying(10)", False, False),
        ("postgresql", "text", "character varying(10)", False, False),
        ("postgresql", "integer", "bigint", True, False),
        ("postgresql", "bigint", "integer", False, False),
        ("postgresql", "bigint", "double precision", False, False),  # beyond 2**53 it is another number
        ("postgresql", "bigint", "numeric", True, False),
        ("postgresql", "json", "jsonb", False, False),  # the order of keys, and keys that are there twice
        ("postgresql", "timestamp without time zone", "timestamp with time zone", False, False),
        ("sqlite", "integer", "text", False, False),
        ("sqlite", "text", "integer", False, False),
    ],
)
def test_a_type_is_wider_when_it_keeps_every_value_of_another(
    dialect: Dialect, have: str, want: str, wider: bool, in_place: bool
) -> None:
    assert fits.widens(have, want, dialect) is wider
    assert (dialect == "postgresql" and fits.in_place(have, want)) is in_place
