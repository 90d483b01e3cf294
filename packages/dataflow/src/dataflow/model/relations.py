"""How models point to each other: from a child to its parent, and from a parent to its children. Pure.

Rule 1: a declared foreign key is a relation; so is a field ``<model>_id`` whose type is that of the model's id.
Rule 2: to the parent a relation is called as its field without ``_id`` (``customer``), to the children as their table
        (``orders``). A name that a field has, or that two relations would share, is ``<name>_by_<field>`` instead.
Rule 3: names do not depend on the order in which models are declared.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

import msgspec
from msgspec.structs import replace

from dataflow.model import naming
from dataflow.model.spec import FieldSpec, ForeignKey, ModelSpec

CHANGING: Final = ("cascade", "set null", "set default")  # what becomes of the children of a record that is deleted


class Relation(msgspec.Struct, frozen=True):
    """One side of a relation: the records of *target* whose *target_field* is the record's *field*."""

    name: str
    model: str
    field: str
    target: str
    target_field: str
    many: bool  # the target is a child: any number of records, else one or none
    nullable: bool = False  # the child's field may be null
    key: ForeignKey | None = None  # as it is declared; None: known by the name of its field

    @property
    def child(self) -> tuple[str, str]:
        """The model and the field that point."""
        return (self.target, self.target_field) if self.many else (self.model, self.field)


Relations: TypeAlias = Mapping[str, Mapping[str, Relation]]  # model -> name -> relation


def relations(specs: Iterable[ModelSpec]) -> Relations:
    """Return the relations of every model, by the name of the model and by their own."""
    known = {spec.name: spec for spec in specs}
    found: dict[str, list[Relation]] = {name: [] for name in known}
    for relation in pointing(known.values()):
        child = known[relation.model]
        found[relation.model].append(relation)
        found[relation.target].append(
            replace(
                relation,
                name=child.resource,
                model=relation.target,
                field=relation.target_field,
                target=relation.model,
                target_field=relation.field,
                many=True,
            )
        )
    return {name: _named(several, known[name].by_name) for name, several in found.items()}


def pointing(specs: Collection[ModelSpec]) -> Iterator[Relation]:
    """Yield the relations from children to parents, in the order of models and fields."""
    known = {spec.name: spec for spec in specs}
    by_word = {naming.snake(spec.name): spec for spec in specs}
    for spec in specs:
        for field in spec.fields:
            target, column = _target(field, known, by_word)
            if target is not None and column in target.by_name:
                yield Relation(
                    name=_stem(field.name) or naming.snake(target.name),
                    model=spec.name,
                    field=field.name,
                    target=target.name,
                    target_field=column,
                    many=False,
                    nullable=field.nullable,
                    key=field.foreign_key,
                )


def along(specs: Iterable[ModelSpec]) -> Mapping[str, tuple[str, ...]]:
    """Return for each model the others whose records a foreign key deletes or changes with its records, near or far."""
    names, children = [], defaultdict[str, list[str]](list)
    for spec in specs:
        names.append(spec.name)
        for field in spec.fields:
            key = field.foreign_key
            if key is not None and key.on_delete in CHANGING:
                children[str(key.target).partition(".")[0]].append(spec.name)
    return {name: _reached(name, children) for name in names}


def _reached(name: str, children: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    reached: dict[str, None] = {}
    waiting = [name]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in reached and child != name:
                reached[child] = None
                waiting.append(child)
    return tuple(reached)


def _target(
    field: FieldSpec, known: Mapping[str, ModelSpec], by_word: Mapping[str, ModelSpec]
) -> tuple[ModelSpec | None, str]:
    """Return the model and the field that *field* points to, or no model."""
    if field.foreign_key is not None:
        model, _, column = str(field.foreign_key.target).partition(".")
        return known.get(model), column
    target = None if field.managed else by_word.get(_stem(field.name))
    fits = target is not None and target.by_name["id"].python_type is field.python_type
    return (target if fits else None), "id"


def _stem(field: str) -> str:
    """Return ``customer`` of ``customer_id``; nothing of a name that is no such one."""
    return field[:-3] if field.endswith("_id") else ""


def _named(several: Sequence[Relation], fields: Collection[str]) -> Mapping[str, Relation]:
    counted = Counter(relation.name for relation in several)
    named = {}
    for relation in several:
        taken = counted[relation.name] > 1 or relation.name in fields
        name = f"{relation.name}_by_{relation.child[1]}" if taken else relation.name
        named[name] = replace(relation, name=name)
    return named


# -- the graph -----------------------------------------------------------------------------------------------


def circles(edges: Iterable[Relation]) -> list[tuple[Relation, ...]]:
    """Return one circle of each knot of models that point to each other, the shortest through its first model.

    A model that points to itself is a circle of one.
    """
    leading: dict[str, list[Relation]] = {}
    for edge in edges:
        leading.setdefault(edge.model, []).append(edge)
    found: list[tuple[Relation, ...]] = []
    settled: set[str] = set()
    for model in leading:
        if model not in settled and (circle := _way_back(model, leading)):
            settled.update(edge.model for edge in circle)
            found.append(circle)
    return found


def _way_back(model: str, leading: Mapping[str, Sequence[Relation]]) -> tuple[Relation, ...]:
    """Return the shortest way from *model* to itself, or nothing: breadth first."""
    ways: list[tuple[Relation, ...]] = [(edge,) for edge in leading[model]]
    seen = {model}
    for way in ways:  # it grows as we walk
        last = way[-1].target
        if last == model:
            return way
        if last not in seen:
            seen.add(last)
            ways += [(*way, edge) for edge in leading.get(last, ())]
    return ()


def mermaid(specs: Collection[ModelSpec]) -> str:
    """Draw the models and their relations in Mermaid's language of entity relationship diagrams.

    A dotted line is a relation that no foreign key holds (https://mermaid.js.org/syntax/entityRelationshipDiagram.html).
    """
    lines = ["erDiagram"]
    for spec in specs:
        fields = [f"        {_kind(field)} {field.name}{_marks(field)}" for field in spec.fields]
        lines += [f"    {spec.name} {{", *fields, "    }"]
    for edge in pointing(specs):
        one = "|o" if edge.nullable else "||"
        line = "--" if edge.key is not None else ".."
        lines.append(f'    {edge.target} {one}{line}o{{ {edge.model} : "{edge.field}"')
    return "\n".join(lines) + "\n"


def _kind(field: FieldSpec) -> str:
    return str(getattr(field.python_type, "__name__", field.python_type))


def _marks(field: FieldSpec) -> str:
    if field.primary_key:
        return " PK"
    return " FK" if field.foreign_key is not None else ""
