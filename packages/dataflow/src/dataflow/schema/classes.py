"""Tables -> classes as their author might have written them: names, types, keys, and what cannot be said. Pure.

`dataflow.schema.source` writes them down.
"""

from __future__ import annotations

import builtins
import keyword
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from dataflow.model import naming
from dataflow.model.declare import RESERVED
from dataflow.schema.discovery import Discovery
from dataflow.schema.pythonic import Kind, default_of, kind_of
from dataflow.schema.state import Column, ForeignKey, Index, Table

STAMPS: Final = ("created_at", "updated_at")
IDS: Final = ("int", "str", "UUID")
ON_DELETE: Final = {"RESTRICT": "", "CASCADE": "cascade", "SET NULL": "set null", "NO ACTION": "no action",
                    "SET DEFAULT": "set default"}  # fmt: skip
IMPORTED: Final = frozenset({"db", "dt", "now", "Annotated", "Column", "Decimal", "Enum", "ForeignKey", "Meta", "UUID"})


class Field(msgspec.Struct, kw_only=True):
    """One field: its Python type in source text, and what is said of its column."""

    name: str
    column: str
    kind: Kind
    type: str  # as the database spells it
    nullable: bool = False
    default: str | None = None  # in source text
    key: tuple[str, str] | None = None  # "Customer.id", on_delete
    made: bool = True
    note: str = ""


class Class(msgspec.Struct, kw_only=True):
    """One model."""

    name: str
    table: str
    fields: list[Field]
    indexes: list[tuple[tuple[str, ...], bool, str]] = []  # fields, unique, a name that is not the usual one
    timestamps: bool = True  # ours: they are there and not among the fields
    notes: list[str] = []  # what is in the table and not in the class


class Choice(msgspec.Struct, frozen=True):
    """An Enum: its name, its type in the database, and ``{value: member}``."""

    name: str
    type: str
    members: Mapping[str, str]


class Classes(msgspec.Struct, frozen=True):
    """All that was found: models, their enums, and why other tables have none."""

    classes: tuple[Class, ...]
    choices: tuple[Choice, ...]
    left_out: Mapping[str, str]


def classes_of(discovery: Discovery) -> Classes:
    """Return the classes that stand for the tables of *discovery*."""
    left_out = {name: reason for name, table in discovery.tables.items() if (reason := _unsuitable(table))}
    suitable = [table for name, table in discovery.tables.items() if name not in left_out]
    names = _names([table.name for table in suitable], taken=IMPORTED)
    choices = _choices(discovery, taken=[*names.values(), *IMPORTED])
    made: dict[str, Class] = {}
    for table in suitable:
        found = _class(table, names[table.name], discovery, choices)
        if isinstance(found, str):
            left_out[table.name] = found
        else:
            made[table.name] = found
    for name, each in made.items():
        _point(each, discovery.tables[name], made)
    used = {field.type for each in made.values() for field in each.fields}
    return Classes(tuple(made.values()), tuple([each for each in choices.values() if each.type in used]), left_out)


def _unsuitable(table: Table) -> str:
    if table.partition_of is not None:
        return f"a part of {table.partition_of}"
    if not table.writable:
        return f"a {table.kind}, which has no key"
    if not naming.is_usable(table.name) or table.name.lower().startswith(("sqlite_", "pg_")):
        return "a name that no model can have"
    if len(table.primary_key) != 1:
        keys = ", ".join(table.primary_key)
        return f"a primary key of several columns ({keys})" if keys else "no primary key"
    return ""


# -- names ---------------------------------------------------------------------------------------------------


def _names(tables: Sequence[str], taken: Iterable[str]) -> dict[str, str]:
    """Return the name of a class for each table; the plural where two would have one."""
    singular = {table: _camel(_singular(naming.slug(table))) for table in tables}
    counted = Counter(singular.values())
    names: dict[str, str] = {}
    for table in tables:
        name = singular[table] if counted[singular[table]] == 1 else _camel(naming.slug(table))
        names[table] = _free(name, [*names.values(), *taken])
    return names


def _camel(slug: str) -> str:
    name = "".join(word[:1].upper() + word[1:] for word in slug.split("_"))
    return name if name[:1].isalpha() and name not in vars(builtins) and not keyword.iskeyword(name) else f"Table{name}"


def _singular(slug: str) -> str:
    """Return what `naming.table_name` makes the plural of; the same where that is nothing."""
    *words, last = slug.split("_")
    irregular = {plural: word for word, plural in naming.IRREGULAR.items()}
    guesses = [irregular.get(last, last), re.sub("ies$", "y", last), re.sub("ses$", "sis", last)]
    guesses += [re.sub("es$", "", last), re.sub("s$", "", last)]
    right = [guess for guess in guesses if guess and guess != last and naming.plural(guess) == last]
    return "_".join([*words, right[0] if right and last not in naming.UNCOUNTED else last])


def _free(name: str, taken: Iterable[str]) -> str:
    known, number, free = {*taken}, 2, name
    while free in known:
        free, number = f"{name}{number}", number + 1
    return free


def _field_names(table: Table) -> dict[str, str]:
    """Return the field of each column; that of the key is ``id``."""
    names = {table.primary_key[0]: "id"}
    for column in table.columns:
        if column.name in names:
            continue
        slug = re.sub("__+", "_", naming.slug(column.name)).strip("_") or "field"
        name = f"n_{slug}" if slug[0].isdigit() else slug
        builtin = name in ("int", "str", "float", "bool", "bytes", "dict", "list", "db", "dt", "now")
        if keyword.iskeyword(name) or builtin or name in RESERVED:
            name += "_"
        names[column.name] = _free(name, names.values())
    return names


def _choices(discovery: Discovery, taken: Sequence[str]) -> dict[str, Choice]:
    found: dict[str, Choice] = {}
    for spelled, labels in discovery.enums.items():
        slug = naming.slug(spelled.rpartition(".")[2].strip('"'))
        name = _free(_camel(slug), [*taken, *[each.name for each in found.values()]])
        members: dict[str, str] = {}
        for label in labels:
            word = naming.slug(label).strip("_").upper() or "EMPTY"
            member = f"N_{word}" if word[0].isdigit() else word
            members[label] = _free(member if member != "NAME" else "NAME_", members.values())
        found[spelled] = Choice(name, spelled, members)
    return found


# -- one table -----------------------------------------------------------------------------------------------


def _class(table: Table, name: str, discovery: Discovery, choices: Mapping[str, Choice]) -> Class | str:
    """Return the class of *table*, or why there can be none."""
    enums = {spelled: choice.name for spelled, choice in choices.items()}
    made = Class(name=name, table=table.name, fields=[], indexes=[], notes=[])
    stamps = _are_ours(table, discovery)
    named = _field_names(table)
    for column in table.columns:
        kind = kind_of(column, discovery.dialect, discovery.domains, enums)
        is_key = column.name == table.primary_key[0]
        if is_key and (kind is None or kind.text not in IDS):
            return f"a primary key of the type {column.type or 'that was not said'}"
        if stamps and column.name in STAMPS:
            continue
        reason = _not_ours(column, kind, is_key=is_key)
        if kind is None or reason or not naming.is_usable(column.name):
            made.notes.append(f"{column.name}: {reason or 'a name that no column of a model can have'}")
        else:
            made.fields.append(_field(column, named[column.name], kind, choices, is_key=is_key))
    made.timestamps = stamps
    _index(made, table, {field.column: field.name for field in made.fields})
    return made


def _not_ours(column: Column, kind: Kind | None, *, is_key: bool) -> str:
    if kind is None:
        return f"{column.type or 'no type'}, which no type of Python stands for"
    if column.generated is not None:
        return f"computed: {column.generated}"
    if column.identity and not is_key:
        return "counted by the database"
    return ""


def _are_ours(table: Table, discovery: Discovery) -> bool:
    """Whether the time stamps are as we would make them."""
    kind = "timestamp with time zone" if discovery.dialect == "postgresql" else "text"
    found = [table.by_name.get(name) for name in STAMPS]
    return all(column is not None and column.type == kind and not column.nullable for column in found)


def _field(column: Column, name: str, kind: Kind, choices: Mapping[str, Choice], *, is_key: bool) -> Field:
    made = Field(name=name, column=column.name, kind=kind, type=column.type, nullable=column.nullable and not is_key)
    if is_key:
        made.made = column.identity if kind.text == "int" else kind.text == "UUID"
        return made
    choice = choices.get(column.type)
    members = {value: f"{choice.name}.{member}" for value, member in choice.members.items()} if choice else {}
    if column.default is not None:
        made.default = default_of(kind, column.default, members)
        if made.default is None and column.default.lower() != "null":
            made.note = f"the database's default: {' '.join(column.default.split())}"
    return made


def _index(made: Class, table: Table, fields: Mapping[str, str]) -> None:
    """Say the indexes that a model can; the others stay as they are."""
    seen: set[tuple[str, ...]] = set()
    for index in sorted(table.indexes, key=lambda each: (each.columns, not each.unique)):
        if index.covers is None or not all(column in fields for column in index.columns):
            made.notes.append(f"index {index.name}: {_why(index)}")
            continue
        if index.columns in seen:
            continue  # a unique one is there, which serves as well
        seen.add(index.columns)
        chosen = tuple([fields[column] for column in index.columns])
        usual = naming.index_name(table.name, chosen, unique=index.unique)
        usable = naming.is_usable(index.name) and not index.name.startswith("sqlite_")
        made.indexes.append((chosen, index.unique, index.name if index.name != usual and usable else ""))


def _why(index: Index) -> str:
    if index.where is not None:
        return "of some records"
    if not index.plain:
        return "of an expression"
    return "not valid" if not index.valid else index.method if index.method != "btree" else "of a column left out"


# -- foreign keys --------------------------------------------------------------------------------------------


def _point(made: Class, table: Table, classes: Mapping[str, Class]) -> None:
    """Say the foreign keys that a model can."""
    for key in table.foreign_keys:
        field = next((each for each in made.fields if (each.column,) == key.columns), None)
        target = _target(key, classes)
        if field is None or target is None or target[1].kind.text != field.kind.text:
            made.notes.append(f"foreign key {', '.join(key.columns)} to {key.table}")
        else:
            field.key = (f"{target[0].name}.{target[1].name}", ON_DELETE.get(key.on_delete, "no action"))


def _target(key: ForeignKey, classes: Mapping[str, Class]) -> tuple[Class, Field] | None:
    made = classes.get(key.table)
    field = next((each for each in made.fields if (each.column,) == key.targets), None) if made is not None else None
    if made is None or field is None:
        return None
    unique = field.name == "id" or any(index[0] == (field.name,) and index[1] for index in made.indexes)
    return (made, field) if unique else None
