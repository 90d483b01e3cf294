"""Changes, their reverses and their effects, without a database."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given

from dataflow.model.registry import Models
from dataflow.schema import ddl, diff, plan, risk, rules, wanted
from dataflow.schema.after import after, after_all
from dataflow.schema.changes import (
    AddColumn,
    Change,
    CreateIndex,
    CreateTable,
    RenameColumn,
    SetNullable,
    reverse,
    table_of,
)
from dataflow.schema.compilers import compiler_of
from dataflow.schema.measure import Facts
from dataflow.schema.state import Check, Column, Dialect, Index, SchemaState
from suites.random_models import models

NOTHING = SchemaState({})


def want(of: Models, dialect: Dialect) -> wanted.Wanted:
    return wanted.want(of, compiler_of(dialect))


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
@given(models())
def test_nothing_differs_from_itself(dialect: Dialect, drawn: Models) -> None:
    asked = want(drawn, dialect)

    assert diff.diff(asked.state, asked, dialect) == diff.Difference()


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
@given(models(), models())
def test_the_changes_lead_to_what_is_wanted(dialect: Dialect, first: Models, second: Models) -> None:
    have, asked = want(first, dialect).state, want(second, dialect)

    made = after_all(have, diff.diff(have, asked, dialect).changes)

    left = diff.diff(made, asked, dialect)
    assert (left.changes, left.impossible) == ((), ())


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
@given(models(), models())
def test_every_change_is_undone_by_its_reverse(dialect: Dialect, first: Models, second: Models) -> None:
    state = want(first, dialect).state
    for change in diff.diff(state, want(second, dialect), dialect).changes:
        later = after(state, change)
        assert after(later, change.reverse()) == state
        state = later


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
@given(models(), models())
def test_all_of_them_are_undone_by_their_reverse(dialect: Dialect, first: Models, second: Models) -> None:
    have = want(first, dialect).state
    changes = diff.diff(have, want(second, dialect), dialect).changes

    assert after_all(after_all(have, changes), reverse(changes)) == have


@given(models(), models())
def test_a_change_can_be_written_down(first: Models, second: Models) -> None:
    changes = diff.diff(want(first, "sqlite").state, want(second, "sqlite"), "sqlite").changes

    assert msgspec.json.decode(msgspec.json.encode(changes), type=tuple[Change, ...]) == changes


@given(models(), models())
def test_every_change_has_a_risk_and_what_loses_is_never_automatic(first: Models, second: Models) -> None:
    have = want(first, "postgresql").state
    changes = diff.diff(have, want(second, "postgresql"), "postgresql").changes
    facts = Facts(dict.fromkeys(have.tables, 5))

    for change in (*changes, *reverse(changes)):
        found = risk.assess(change, facts, "postgresql")
        assert 0 <= found.score <= 100
        assert found.reason
        assert (found.verdict == "automatic") == (found.score < 50)
        assert not (found.loses and found.verdict == "automatic")


@given(models(), models())
def test_a_plan_has_the_name_of_what_it_does(first: Models, second: Models) -> None:
    have = want(first, "sqlite").state
    changes = diff.diff(have, want(second, "sqlite"), "sqlite").changes

    made = plan.planned(have, changes, Facts(), "sqlite")

    assert made.name == plan.planned(have, changes, Facts(), "sqlite").name
    assert not changes or made.name != plan.Plan().name
    assert sorted(map(repr, (change for block in made.blocks for change in block.changes))) == sorted(
        map(repr, changes)
    )


@given(models())
def test_tables_stand_before_what_points_to_them(drawn: Models) -> None:
    made = diff.diff(NOTHING, want(drawn, "postgresql"), "postgresql").changes
    seen: set[str] = set()

    for change in made:
        if isinstance(change, CreateTable):
            assert {key.table for key in change.table.foreign_keys} <= seen | {change.table.name}
            seen.add(table_of(change))


def test_a_name_is_always_quoted() -> None:
    assert rules.identifier('odd "one') == '"odd ""one"'
    assert rules.quoted("it's") == "'it''s'"


@pytest.mark.parametrize(
    ("have", "literal", "same"),
    [
        ("'x'::text", "'x'", True),
        ("'it''s'::character varying", "'it''s'", True),
        ("'x::text'::text", "'x::text'", True),
        ("'-5'::integer", "-5", True),
        ("(5)::bigint", "5", True),
        ("1.50", "'1.50'", True),
        ("'1000000'::numeric", "1e+06", True),
        ("true", "true", True),
        ("now()", "'now()'", True),  # nobody writes this, and a database that has it keeps it
        ("'y'::text", "'x'", False),
        (None, "'x'", False),
    ],
)
def test_a_default_is_known_in_every_spelling(have: str | None, literal: str, same: bool) -> None:
    assert rules.same_default(have, literal) is same


@pytest.mark.parametrize(
    ("new", "old", "wider"),
    [
        ('"n" >= 0', "((n >= 5))", True),
        ('"n" >= 5', "((n >= 0))", False),
        ('"n" >= 5', "((n > 5))", True),
        ('"n" > 5', "((n >= 5))", False),
        ('"n" >= 0 AND "n" <= 10', "((n >= 0) AND (n <= 9))", True),
        ('"n" >= 0 AND "n" <= 10', "((n >= 0))", False),
        ("\"m\" IN ('a', 'b', 'c')", "((m = ANY (ARRAY['a'::text, 'b'::text])))", True),
        ("\"m\" IN ('a')", "((m = ANY (ARRAY['a'::text, 'b'::text])))", False),
        ("\"m\" IN ('a', 'b')", "((m = 'a'::text))", True),
        ('"m" IN (1, 2, 3)', "((m = ANY (ARRAY[(1)::bigint, (2)::bigint])))", True),
        ('"m" IN (1)', "((m = ANY (ARRAY[(1)::bigint, (2)::bigint])))", False),
        ('length("m") >= 1', "((length(m) >= 2))", True),
        ('length("m") >= 2', "((length(m) >= 1))", False),
    ],
)
def test_a_check_is_wider_that_lets_through_all_that_another_one_does(new: str, old: str, wider: bool) -> None:
    assert rules.wider(Check("new", new), Check("old", old)) is wider


@pytest.mark.parametrize(
    ("change", "anew"),
    [
        (AddColumn("t", Column("c", "text")), False),
        (AddColumn("t", Column("c", "text", nullable=False, default="'x'")), False),
        (AddColumn("t", Column("c", "text", nullable=False)), True),
        (AddColumn("t", Column("c", "text", default="CURRENT_TIMESTAMP")), True),
        (RenameColumn("t", "a", "b"), False),
        (CreateIndex("t", Index(("c",))), False),
        (SetNullable("t", "c", nullable=True), True),
    ],
)
def test_sqlite_makes_a_table_anew_only_for_what_it_cannot_alter(change: Change, anew: bool) -> None:
    assert ddl.rebuilds(change) is anew
