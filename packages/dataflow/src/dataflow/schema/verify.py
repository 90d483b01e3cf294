"""Whether the database keeps what the models promise: differences, circles, indexes that are missing, orphans.

Rule: it reads and changes nothing. Every record is looked at, whoever it belongs to and whether it is marked as gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import msgspec

from dataflow.model.registry import Models
from dataflow.model.relations import Relation, circles, pointing
from dataflow.model.spec import ModelSpec
from dataflow.schema.connection import Connection
from dataflow.schema.inspect import inspect
from dataflow.schema.rules import identifier
from dataflow.schema.state import Table


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that was found.

    what: "difference", "orphans", "circle", "no index". serious: it is wrong, and not only slow or worth knowing.
    """

    what: Literal["difference", "orphans", "circle", "no index"]
    sentence: str
    serious: bool = False
    model: str = ""
    field: str = ""
    count: int = 0
    ids: tuple[Any, ...] = ()


def verify(connection: Connection, models: Models, differences: Iterable[str], samples: int) -> list[Finding]:
    """Return everything that is found, what is serious first.

    samples: how many ids of orphans are told of each relation.
    """
    specs = {model.name: model.spec for model in models}
    tables = inspect(connection, [spec.table for spec in specs.values()]).tables if specs else {}
    edges = [*pointing([*specs.values()])]
    found = [Finding("difference", sentence, serious=True) for sentence in differences]
    for edge in edges:
        child, parent = specs[edge.model], specs[edge.target]
        if _there(tables, child, edge.field) and _there(tables, parent, edge.target_field):
            found += _orphans(connection, edge, child, parent, samples)
            found += _unindexed(edge, child, tables[child.table])
    found += _circles(edges)
    return sorted(found, key=lambda finding: not finding.serious)


def _there(tables: Any, spec: ModelSpec, field: str) -> bool:
    table = tables.get(spec.table)
    return table is not None and spec.by_name[field].stored_as in table.by_name


def _orphans(
    connection: Connection, edge: Relation, child: ModelSpec, parent: ModelSpec, samples: int
) -> Iterator[Finding]:
    field, target = child.by_name[edge.field].stored_as, parent.by_name[edge.target_field].stored_as
    source = (
        f"FROM {identifier(child.table)} c WHERE c.{identifier(field)} IS NOT NULL AND NOT EXISTS"
        f" (SELECT 1 FROM {identifier(parent.table)} p WHERE p.{identifier(target)} = c.{identifier(field)})"
    )
    count = int(connection.ask(f"SELECT count(*) {source}")[0][0])
    if not count:
        return
    id = identifier(child.by_name["id"].stored_as)
    rows = connection.ask(f"SELECT c.{id} {source} ORDER BY 1 LIMIT {samples:d}") if samples else []
    yield Finding(
        "orphans",
        f"{count} of {child.name} have a {edge.field} that is no {edge.target_field} of {parent.name}",
        serious=True,
        model=child.name,
        field=edge.field,
        count=count,
        ids=tuple([row[0] for row in rows]),
    )


def _unindexed(edge: Relation, child: ModelSpec, table: Table) -> Iterator[Finding]:
    column = child.by_name[edge.field].stored_as
    covering: list[Sequence[str]] = [index.columns for index in table.indexes if index.covers]
    if table.writable and all(columns[:1] != (column,) for columns in (*covering, table.primary_key)):
        hint = f'{{"fields": ["{edge.field}"]}} in __indexes__ makes one'
        sentence = f"no index begins with {edge.field} of {child.name}, by which {edge.target} is joined: {hint}"
        yield Finding("no index", sentence, model=child.name, field=edge.field)


def _circles(edges: Sequence[Relation]) -> Iterator[Finding]:
    declared = [edge for edge in edges if edge.key is not None]
    needed = [edge for edge in declared if not edge.nullable]
    for circle in circles(needed):
        yield Finding(
            "circle",
            f"no record can be the first of {_way(circle)}: each needs another; let one of the fields be null",
            serious=True,
            model=circle[0].model,
            field=circle[0].field,
        )
    for circle in circles([edge for edge in declared if edge.key is not None and edge.key.on_delete == "cascade"]):
        yield Finding(
            "circle",
            f"deleting one record of {_way(circle)} deletes on and on: every one of them cascades",
            model=circle[0].model,
            field=circle[0].field,
        )


def _way(circle: Sequence[Relation]) -> str:
    return " -> ".join([*[f"{edge.model}.{edge.field}" for edge in circle], circle[0].model])
