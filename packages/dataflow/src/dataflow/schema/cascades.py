"""What a change means for other tables: whose records go, or forget, when a record that they point to goes. Pure.

Rule: it is told of the schema as it is once the whole plan is done, tables that no model has among it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from dataflow.schema import changes as kinds
from dataflow.schema.changes import Change
from dataflow.schema.state import ForeignKey, SchemaState


class Edge(msgspec.Struct, frozen=True):
    """One foreign key: the records of *table* whose *columns* point to those of *to*."""

    table: str
    columns: tuple[str, ...]
    to: str
    on_delete: str  # as in `dataflow.schema.state.ForeignKey`


def edges(state: SchemaState, others: Iterable[Edge]) -> list[Edge]:
    """Return the foreign keys of *state*, and of *others* those of tables that it does not know."""
    known = [_edge(table.name, key) for table in state.tables.values() for key in table.foreign_keys]
    return [*known, *[each for each in others if each.table not in state.tables]]


def effects(change: Change, found: Iterable[Edge]) -> tuple[str, ...]:
    """Return, in sentences, what *change* means for the records of other tables; found: `edges` after the plan."""
    there = [*found]
    match change:
        case kinds.AddForeignKey():
            return tuple(_of_key(_edge(change.table, change.key), there))
        case kinds.CreateTable():
            keys = change.table.foreign_keys
            return tuple([each for key in keys for each in _of_key(_edge(change.table.name, key), there)])
        case kinds.DropForeignKey() if change.key.on_delete == "CASCADE":
            return (f"deleting a record of {change.key.table} no longer deletes those of {change.table}",)
        case kinds.DropTable():
            name = change.table.name
            pointing = [each for each in there if each.to == name and each.table != name]
            return tuple([f"{each.table}.{'_'.join(each.columns)} points to it, and stops it" for each in pointing])
        case _:
            return ()


def _edge(table: str, key: ForeignKey) -> Edge:
    return Edge(table, key.columns, key.table, key.on_delete)


def _of_key(edge: Edge, there: list[Edge]) -> Iterator[str]:
    named = " and ".join(edge.columns)
    match edge.on_delete:
        case "CASCADE":
            further = _following(edge, there)
            rest = f", and with them those of {', '.join(further)}" if further else ""
            yield f"deleting a record of {edge.to} deletes its records of {edge.table}{rest}"
        case "SET NULL":
            yield f"deleting a record of {edge.to} empties {named} of its records of {edge.table}"
        case "SET DEFAULT":
            yield f"deleting a record of {edge.to} gives {named} of its records of {edge.table} the default"


def _following(first: Edge, there: list[Edge]) -> list[str]:
    """Return the tables whose records go when records of *first*'s table do, nearest first."""
    reached, waiting = {first.to: None, first.table: None}, [first.table]
    while waiting:
        gone = waiting.pop(0)
        for each in there:
            if each.to == gone and each.on_delete == "CASCADE" and each.table not in reached:
                reached[each.table] = None
                waiting.append(each.table)
    return [*reached][2:] if first.to != first.table else [*reached][1:]
