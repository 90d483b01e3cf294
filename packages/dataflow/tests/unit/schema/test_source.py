"""Source that is made of what a database says is nothing but declarations, whatever it says."""

from __future__ import annotations

import ast

from hypothesis import example, given
from hypothesis import strategies as st

from dataflow import DataFlow
from dataflow.schema.classes import classes_of
from dataflow.schema.discovery import Discovery
from dataflow.schema.source import declarations, module, register
from dataflow.schema.state import Column, Index, Table

HOSTILE = st.sampled_from(
    ['"', "'", "\\", '"""', "\n", "\r", "\0", "#", "\u2028", "\u202e", "{}", "%s", "class", "None", "__import__", "id",
     "1x", "__", "", "é", "naïve table", "int", "db", "x\nimport os", "a.b", "created_at", "rowid", "Meta", "Annotated",
     "Äpfel", "日本", "a-b", "true"]
)  # fmt: skip
NAMES = st.one_of(HOSTILE, st.text(max_size=12), st.lists(HOSTILE, min_size=2, max_size=3).map("".join))
TYPES = st.sampled_from(["text", "integer", "bigint", "real", "varchar(5)", "date", "blob", "", "numeric(4,2)", "bool"])


@st.composite
def tables(draw: st.DrawFn) -> Table:
    names = draw(st.lists(NAMES, min_size=1, max_size=6, unique_by=str.lower))
    defaults = st.one_of(st.none(), NAMES, NAMES.map(lambda text: "'" + text.replace("'", "''") + "'"))
    columns = [
        Column(
            name, draw(TYPES), nullable=draw(st.booleans()), default=draw(defaults), generated=draw(st.none() | NAMES)
        )
        for name in names
    ]
    key = Column(names[0], draw(st.sampled_from(["integer", "text"])), nullable=False)
    indexes = [Index((draw(st.sampled_from(names)),), draw(st.booleans()), draw(NAMES))]
    return Table(draw(NAMES), (key, *columns[1:]), (names[0],), tuple(indexes))


NUL_BY_DEFAULT = Table("t", (Column("id", "integer", nullable=False), Column("note", "text", default="'\0'")), ("id",))


@example([NUL_BY_DEFAULT], "t")
@given(st.lists(tables(), max_size=4, unique_by=lambda table: table.name.lower()), NAMES)
def test_hostile_names_make_declarations_and_nothing_else(found: list[Table], name: str) -> None:
    classes = classes_of(Discovery("sqlite", {table.name: table for table in found}))

    body = ast.parse(declarations(classes)).body
    ast.parse(module(classes, name))

    assert {type(statement) for statement in body} <= {ast.ClassDef, ast.Assign, ast.FunctionDef}
    for statement in body:
        if isinstance(statement, ast.ClassDef):
            assert {type(each) for each in statement.body} <= {ast.Assign, ast.AnnAssign}
    with DataFlow("sqlite:///:memory:") as db:
        assert register(classes, db.model) == db.list_models()
