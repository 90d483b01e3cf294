"""A decorated class -> `ModelSpec`. Pure: no database, no SQLAlchemy, microseconds.

Rule: what cannot be stored and given back exactly is refused here, where the author of the model sees it.
"""

from __future__ import annotations

import copy
import enum
import re
import typing
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final
from uuid import UUID

from msgspec.structs import replace

from dataflow.errors import ModelError
from dataflow.model import fields, identity, naming, settings
from dataflow.model.spec import (
    DELETED,
    NO_OPTIONS,
    STAMPS,
    TENANT,
    VERSION,
    Column,
    Encrypted,
    FieldSpec,
    ForeignKey,
    IndexSpec,
    ModelOptions,
    ModelSpec,
    Secret,
)
from kailash.errors import ConfigurationError
from kailash.shapes import NAIVE, REQUIRED, Check, RefusedError, Unfolded, compile_check, unfold

STORED: Final = frozenset(
    {str, int, float, bool, datetime, date, time, timedelta, Decimal, UUID, bytes, dict, list}
)  # fmt: skip
ON_DELETE: Final = ("restrict", "cascade", "set null", "set default", "no action")
_TYPE: Final = re.compile(r"""(?:[\w\[\](), .]|"[^"\0]+")+""")  # of a column: names, quoted or not, and numbers
JSON_SCALARS: Final = frozenset({str, int, float, bool})
RESERVED: Final = {  # names of columns that are taken
    "ordinal_": "the tables of bulk operations have it",
    "rowid": "SQLite has it in every table",
    **dict.fromkeys(("tableoid", "xmin", "xmax", "cmin", "cmax", "ctid"), "PostgreSQL has it in every table"),
}


def declare(cls: type, defaults: ModelOptions = NO_OPTIONS) -> ModelSpec:
    """Return the spec of a class whose annotations name its columns.

    defaults: the options where ``__dataflow__`` says nothing.

    Raises: ModelError, naming the model and the field; NotAvailableError for a feature of a later version.
    """
    if not isinstance(cls, type):
        raise ModelError(f"a model is a class, and {cls!r} is none", hint="decorate a class with @db.model")
    declared = [_field(cls, attribute) for attribute in fields.attributes(cls)]
    if not declared:
        raise ModelError(f"model {cls.__name__} has no fields", hint="annotate at least one: name: str")
    _refuse_twins(cls, declared)
    names = dict.fromkeys(["id", *[field.name for field in declared], *STAMPS])
    options = settings.options(cls, defaults, [*names])
    columns = _completed(declared, options, cls.__name__)
    table = settings.table(cls)
    indexes = settings.indexes(cls, table, [column.name for column in columns], options)
    columns = _encrypted(cls, columns, options, indexes)
    return ModelSpec(
        name=cls.__name__,
        table=table,
        module=cls.__module__,
        fields=columns,
        indexes=indexes,
        options=options,
        renamed=settings.renamed(cls, table, {column.name: column.stored_as for column in columns}),
    )


def _encrypted(
    cls: type, columns: tuple[FieldSpec, ...], options: ModelOptions, indexes: Sequence[IndexSpec]
) -> tuple[FieldSpec, ...]:
    """Mark the fields that ``__dataflow__`` encrypts; refuse what cannot be."""
    marked = tuple(
        [
            replace(column, encrypted=Encrypted())
            if column.name in options.encrypted and not column.encrypted
            else column
            for column in columns
        ]
    )
    for column in marked:
        if column.encrypted is None:
            continue
        if column.primary_key or column.managed or column.foreign_key is not None:
            raise ModelError(f"field {column.name!r} of model {cls.__name__} is a key, and cannot be encrypted")
        if column.column_type:
            raise ModelError(f"field {column.name!r} of model {cls.__name__} is encrypted: its column holds bytes")
        if any(column.name in index.fields for index in indexes):
            raise ModelError(
                f"an index of model {cls.__name__} is on {column.name!r}, which is encrypted",
                hint="leave it out; Encrypted(searchable=True) has an index of its own",
            )
    return marked


def _completed(declared: list[FieldSpec], options: ModelOptions, model: str) -> tuple[FieldSpec, ...]:
    """Add ``id`` in front and what we keep behind, where the class has none of its own and wants them."""
    names = {field.name for field in declared}
    kept = {field.name: field for field in _kept(options)}
    id = FieldSpec(
        name="id", python_type=int, annotation=int, nullable=False, default=REQUIRED, primary_key=True,
        autoincrement=True,
    )  # fmt: skip
    stamps = [
        FieldSpec(name=name, python_type=datetime, annotation=datetime, nullable=False, default=REQUIRED, managed=True)
        for name in STAMPS
        if name not in names and options.timestamps
    ]
    own = [_taken_over(field, kept[field.name], model) if field.name in kept else field for field in declared]
    added = [field for name, field in kept.items() if name not in names]
    return (*(() if "id" in names else (id,)), *own, *added, *stamps)


def _kept(options: ModelOptions) -> Iterator[FieldSpec]:
    """Yield the fields that the model's policies need."""
    if options.multi_tenant:
        yield FieldSpec(name=TENANT, python_type=str, annotation=str, nullable=False, default=REQUIRED, managed=True)
    if options.soft_delete:
        moment = datetime | None
        yield FieldSpec(
            name=DELETED, python_type=datetime, annotation=moment, nullable=True, default=None, managed=True
        )
    if options.versioned:
        yield FieldSpec(name=VERSION, python_type=int, annotation=int, nullable=False, default=1, managed=True)


def _taken_over(own: FieldSpec, ours: FieldSpec, model: str) -> FieldSpec:
    """Return *ours* in the place of a field of that name that the class declares too. Raises: ModelError."""
    same = own.python_type is ours.python_type and own.nullable == ours.nullable
    if not same or own.foreign_key is not None or own.naive:
        raise ModelError(
            f"field {own.name!r} of model {model} is kept by a policy of __dataflow__, and is declared otherwise",
            hint=f"declare it as {_written(ours.annotation)}, or leave it out",
        )
    return replace(ours, column=own.column, column_type=own.column_type)


def _refuse_twins(cls: type, declared: Iterable[FieldSpec]) -> None:
    """SQLite takes Name and name for one column."""
    for names in ([field.name for field in declared], [field.stored_as for field in declared]):
        counted = Counter(map(str.lower, names))
        twins = [name for name in names if counted[name.lower()] > 1]
        if twins:
            raise ModelError(f"fields {' and '.join(twins)} of model {cls.__name__} differ in case alone")


# -- one field -----------------------------------------------------------------------------------------------


def _field(cls: type, attribute: fields.Attribute) -> FieldSpec:
    place = f"field {attribute.name!r} of model {cls.__name__}"
    _refuse_name(attribute.name, place)
    try:
        unfolded = unfold(attribute.annotation)
    except (ConfigurationError, TypeError, ValueError, re.error) as cause:
        raise ModelError(f"the annotation of {place} makes no sense: {cause}") from cause
    if attribute.name == "id":
        return _id(attribute, unfolded, place)
    foreign_key = _foreign_key(unfolded, place)
    column = _column(unfolded, place)
    return FieldSpec(
        name=attribute.name,
        python_type=_stored_type(unfolded.core, place),
        annotation=attribute.annotation,
        nullable=unfolded.nullable,
        default=_default(attribute, unfolded, place),
        max_length=unfolded.rules.max_length if unfolded.core is str else None,
        foreign_key=foreign_key,
        naive=unfolded.core is datetime and unfolded.rules.zone == NAIVE,
        encrypted=next((mark for mark in map(_encrypting, unfolded.metadata) if mark), None),
        secret=any(isinstance(mark, Secret) or mark is Secret for mark in unfolded.metadata),
        column=column.name if column.name != attribute.name else "",
        column_type=column.type,
    )


def _refuse_name(name: str, place: str) -> None:
    if name.startswith("_"):
        raise ModelError(f"{place} begins with an underscore", hint="rename it, or annotate it as a ClassVar")
    if "__" in name:
        raise ModelError(f"{place} has two underscores, which part a field from an operator in a filter")
    if len(name.encode()) > naming.MAX_BYTES:
        raise ModelError(f"the name of {place} is longer than {naming.MAX_BYTES} bytes")
    if reason := RESERVED.get(name.lower()):
        raise ModelError(f"the name of {place} is reserved: {reason}", hint="rename it")


def _id(attribute: fields.Attribute, unfolded: Unfolded, place: str) -> FieldSpec:
    """``int`` counts by itself; ``str`` and ``UUID`` are made by us where they are not given."""
    core = unfolded.core
    if core not in (int, str, UUID):
        raise ModelError(f"{place} must be int, str or UUID, not {_written(core)}")
    annotation = Annotated[(core, *unfolded.metadata)] if unfolded.metadata else core  # never null
    given = attribute if attribute.default is not None else replace(attribute, default=REQUIRED)
    default = _default(given, replace(unfolded, nullable=False), place)
    if default is not REQUIRED and not callable(default):
        raise ModelError(f"{place} has a default that every record would share", hint="leave the default out")
    column = _column(unfolded, place)
    generated = core is not int and default is REQUIRED and column.made
    if generated:
        default = identity.new_text if core is str else identity.new_uuid
    return FieldSpec(
        name="id",
        python_type=core,
        annotation=annotation,
        nullable=False,
        default=default,
        primary_key=True,
        autoincrement=core is int and default is REQUIRED and column.made,
        generated=generated,
        max_length=unfolded.rules.max_length if core is str else None,
        foreign_key=_foreign_key(unfolded, place),
        column=column.name if column.name != "id" else "",
        column_type=column.type,
    )


def _encrypting(mark: Any) -> Encrypted | None:
    return Encrypted() if mark is Encrypted else mark if isinstance(mark, Encrypted) else None


def _column(unfolded: Unfolded, place: str) -> Column:
    """Return what the marks of an annotation say together; one that stands further out wins."""
    column = Column()
    for mark in unfolded.metadata:
        if isinstance(mark, Column):
            column = Column(mark.name or column.name, mark.type or column.type, column.made and mark.made)
    if column.name and not naming.is_usable(column.name):
        raise ModelError(f"the name of the column of {place} is of no use", hint=naming.USABLE)
    if column.type and not _TYPE.fullmatch(column.type):
        raise ModelError(f"the type of the column of {place} is of no use", hint="spell it as the database does")
    return column


def _foreign_key(unfolded: Unfolded, place: str) -> ForeignKey | None:
    marks = [mark for mark in unfolded.metadata if isinstance(mark, ForeignKey)]
    if not marks:
        return None
    key = marks[-1]
    target = key.target.__name__ if isinstance(key.target, type) else str(key.target)
    if target.count(".") > 1 or not all(part.isidentifier() for part in target.split(".")):
        raise ModelError(f"the foreign key of {place} points to {target!r}", hint='write "Customer.id"')
    if key.on_delete not in ON_DELETE:
        raise ModelError(
            f"the foreign key of {place} has on_delete={key.on_delete!r}", hint=f"use one of {', '.join(ON_DELETE)}"
        )
    if key.on_delete == "set null" and not unfolded.nullable:
        raise ModelError(f"{place} is set null when its target goes, and cannot be null", hint="add `| None`")
    return ForeignKey(target if "." in target else f"{target}.id", key.on_delete)


# -- its type ------------------------------------------------------------------------------------------------


def _stored_type(core: Any, place: str) -> Any:
    """Return the key of the column-type table for *core*."""
    origin = typing.get_origin(core) or core
    if origin is typing.Literal:
        return _one_kind(map(type, typing.get_args(core)), (str, int, bool), place)
    if isinstance(origin, type) and issubclass(origin, enum.Enum):
        _one_kind((type(member.value) for member in origin), (str, int), place)
        return origin
    if origin not in STORED:
        raise _unsupported(core, place)
    if origin in (list, dict):
        _refuse_items(origin, typing.get_args(core), place)
    return origin


def _one_kind(kinds: Iterable[type], allowed: tuple[type, ...], place: str) -> type:
    found = set(kinds)
    if len(found) == 1 and (kind := found.pop()) in allowed:
        return kind
    names = " or all ".join(kind.__name__ for kind in allowed)
    raise ModelError(f"the values of {place} must be all {names}")


def _refuse_items(origin: Any, arguments: tuple[Any, ...], place: str) -> None:
    if origin is dict and arguments and arguments[0] is not str:
        raise ModelError(f"{place} must have str as keys, as JSON has")
    item = arguments[-1] if arguments else Any
    core = unfold(item).core
    members = typing.get_args(core) if typing.get_origin(core) is typing.Union else (core,)
    if core is not Any and core is not type(None) and not JSON_SCALARS.issuperset(members):
        _stored_type(core, f"an item of {place}")


def _unsupported(core: Any, place: str) -> ModelError:
    listed = ", ".join(sorted(kind.__name__ for kind in STORED))
    return ModelError(
        f"{place} is of type {_written(core)}, which has no column type",
        hint=f"use one of {listed}, list[...], an Enum, a Literal, or one of them | None",
    )


def _written(core: Any) -> str:
    return core.__name__ if isinstance(core, type) else str(core).replace("typing.", "")


# -- its default ---------------------------------------------------------------------------------------------

MOMENTS: Final[Mapping[type, Callable[[], Any]]] = {
    datetime: lambda: datetime.now(UTC),
    str: lambda: datetime.now(UTC).isoformat(timespec="microseconds"),
}


def _default(attribute: fields.Attribute, unfolded: Unfolded, place: str) -> Any:
    """Return the default as the declared type; as a function, where each record needs one of its own."""
    check = compile_check(attribute.annotation)
    if attribute.factory is not None:
        return _made(attribute.factory, check, place)
    default = attribute.default
    if default is REQUIRED and attribute.name in STAMPS and unfolded.core in MOMENTS and not unfolded.metadata:
        return MOMENTS[unfolded.core]  # a time stamp of the model's own begins as ours does
    if default is REQUIRED:
        return None if unfolded.nullable else REQUIRED
    if callable(default) and not isinstance(default, enum.Enum):
        return _made(default, check, place)
    if default is None and not unfolded.nullable:
        raise ModelError(f"the default of {place} is None", hint="annotate it with `| None`")
    value = _checked(default, check, place)
    return (lambda: copy.deepcopy(value)) if isinstance(value, list | dict) else value


def _made(factory: Callable[[], Any], check: Check, place: str) -> Callable[[], Any]:
    return lambda: _checked(factory(), check, place)


def _checked(value: Any, check: Check, place: str) -> Any:
    try:
        return check(value)
    except RefusedError as refused:
        raise ModelError(f"the default of {place} {refused}") from None
