"""Models by name. A program may declare one twice (re-imports do); the latest declaration is the model."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from dataflow.errors import ModelError, UnknownModelError
from dataflow.model import naming, past, relations
from dataflow.model.spec import TENANT, FieldSpec, ForeignKey, ModelSpec
from kailash._lazy import Late
from kailash.context import Context
from kailash.errors import did_you_mean

if TYPE_CHECKING:
    import sqlalchemy as sa

    from dataflow.model import table as tables
    from dataflow.model.keyring import Keyring
else:  # SQLAlchemy: 110 ms
    sa, tables = Late("sqlalchemy"), Late("dataflow.model.table")


class Teller(Protocol):
    """What makes the writes of a plan tell who made them (`dataflow.ledger.telling`)."""

    @property
    def told(self) -> bool:
        """Whether the changes are written to the ledger."""

    def deeds(self) -> tuple[Callable[[], None], ...]:
        """Return what is to be done after the commit of a write that begins now."""

    def tell(self, plan: Any, operation: Any, context: Context, dialect: Any, now: dt.datetime, *, joins: bool) -> Any:
        """Return *plan* with its writes told. joins: whether it joins a transaction."""

    def tell_of_all(self, plan: Any, operation: Any, context: Context, now: dt.datetime) -> Any:
        """Return *plan*, which concerns the records of every tenant, with that told."""


class Model:
    """A spec, and the table made from it when it is first asked for. Compared by identity."""

    __slots__ = (
        "__weakref__", "_models", "_table", "cache", "past", "rewrites", "spec", "teller", "then", "touch", "walled",
    )  # fmt: skip

    def __init__(self, spec: ModelSpec, models: Models | None = None) -> None:
        self.spec = spec
        self.past: Model | None = Model(past.of(spec), models) if spec.options.kept else None  # its records' versions
        self.then: Mapping[str, Model] = {}  # as its records were: `dataflow.operations.past`
        self.walled = False  # whether PostgreSQL confines it to a tenant as well (`dataflow.operations.walled`)
        self.rewrites: Any = None  # what its policies make of operations: `dataflow.rewrites.apply`
        self._models = models
        self._table: sa.Table | None = None
        self.cache: Any = None  # `dataflow.cache.base.Answers` where they are kept
        self.touch: Any = None  # `dataflow.cache.caching.Touch`: what a write to it makes old
        self.teller: Teller | None = None  # set by the database where somebody wants to be told of its changes

    def __repr__(self) -> str:
        return f"<Model {self.spec.name} in {self.spec.table}>"

    @property
    def name(self) -> str:
        """The name of the class."""
        return self.spec.name

    @property
    def relations(self) -> Mapping[str, relations.Relation]:
        """The relations to other models, by name."""
        return self._models.relations(self.spec.name) if self._models is not None else {}

    @property
    def table(self) -> sa.Table:
        """The table; SQLAlchemy is imported at the first question."""
        if self._table is None:
            self._table = (self._models or Models()).build_table(self)
        return self._table


class Models:
    """The models of one database, by name, in the order of their declaration. Threads may share it."""

    def __init__(self, dialect: str = "") -> None:
        """Begin with none. dialect: the database's, "sqlite" or "postgresql"; without it tables are made for both."""
        self._dialect = dialect
        self._models: dict[str, Model] = {}
        self._lock = threading.RLock()
        self._metadata: sa.MetaData | None = None
        self._relations: tuple[int, relations.Relations] = (0, {})  # of which revision, and what they are
        self.keyring: Keyring | None = None  # of encrypted fields
        self.revision = 0  # grows whenever a model is added or replaced

    def register(self, spec: ModelSpec) -> Model:
        """Return the model of *spec*; declared again unchanged, it is the same model, and no revision.

        Raises: ModelError where another model has the table.
        """
        with self._lock:
            known = self._models.get(spec.name)
            if known is not None and _same(known.spec, spec):
                return known
            self._refuse_shared_table(spec)
            model = Model(spec, self)
            self._models = {**self._models, spec.name: model}  # replaced whole: readers take no lock
            self.revision += 1
            return model

    def touch(self) -> None:
        """Let the database be looked at again before the next operation: a model has a new wish of it."""
        with self._lock:
            self.revision += 1

    def __getitem__(self, name: str) -> Model:
        """Return the model of that name. Raises: UnknownModelError."""
        try:
            return self._models[name]
        except (KeyError, TypeError):
            hint = did_you_mean(str(name), self._models)
            raise UnknownModelError(f"there is no model {str(name)!r}", hint=hint) from None

    def __contains__(self, name: object) -> bool:
        return name in self._models

    def __iter__(self) -> Iterator[Model]:
        return iter(self._models.values())

    @property
    def stored(self) -> Iterator[Model]:
        """Everything that has a table: each model, and after it the versions of its records."""
        for model in self:
            yield model
            if model.past is not None:
                yield model.past

    def __len__(self) -> int:
        return len(self._models)

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in the order of their declaration."""
        return tuple(self._models)

    @property
    def metadata(self) -> sa.MetaData:
        """The tables of all models, those that foreign keys point to among them.

        Raises: ModelError where a foreign key points nowhere.
        """
        with self._lock:
            for model in self.stored:
                self.check_references(model.spec)
                _ = model.table
            return self._shared_metadata()

    def relations(self, model: str) -> Mapping[str, relations.Relation]:
        """Return the relations of *model* by name, to its parents and to its children."""
        revision, known = self._relations
        if revision != self.revision:
            revision, known = self.revision, relations.relations([each.spec for each in self])
            self._relations = (revision, known)
        return known.get(model, {})

    def table_name(self, model: str) -> str:
        """Return the name of the table of *model*, declared or not."""
        known = self._models.get(model)
        return known.spec.table if known is not None else naming.table_name(model)

    def is_tenants(self, model: str) -> bool:
        """Whether the records of *model* are of tenants."""
        known = self._models.get(model)
        return known is not None and known.spec.options.multi_tenant

    def check_references(self, spec: ModelSpec) -> None:
        """Refuse foreign keys that point to no model, no field, or a field of another type. Raises: ModelError."""
        for field in spec.fields:
            if field.foreign_key is not None:
                self._check_reference(spec, field, field.foreign_key)

    def build_table(self, model: Model) -> sa.Table:
        """Make the table of *model*, among those of this registry."""
        with self._lock:
            if model._table is not None:
                return model._table
            current = self._models.get(model.name) is model
            if model.spec.keeps:
                current = any(each.past is model for each in self)
            metadata = self._shared_metadata() if current else sa.MetaData()
            return tables.build_table(
                model.spec, metadata, self.table_name, self.is_tenants, self.keyring, self._dialect
            )

    def _shared_metadata(self) -> sa.MetaData:
        if self._metadata is None:
            self._metadata = sa.MetaData()
        return self._metadata

    def _refuse_shared_table(self, spec: ModelSpec) -> None:
        for other in self:
            if other.name != spec.name and other.spec.table.lower() == spec.table.lower():
                raise ModelError(
                    f"models {other.name} and {spec.name} would share the table {spec.table!r}",
                    hint=f"set __tablename__ of {spec.name}",
                )

    def _check_reference(self, spec: ModelSpec, field: FieldSpec, key: ForeignKey) -> None:
        target = str(key.target)
        model_name, _, column = target.partition(".")
        place = f"the foreign key of field {field.name!r} of model {spec.name}"
        if model_name not in self._models:
            hint = did_you_mean(model_name, self._models)
            raise ModelError(f"{place} points to the unknown model {model_name!r}", hint=hint)
        pointed = self._models[model_name].spec
        if column not in pointed.by_name:
            hint = did_you_mean(column, pointed.by_name)
            raise ModelError(f"{place} points to {target!r}, and {model_name} has no such field", hint=hint)
        if not _is_key(pointed, column):
            raise ModelError(f"{place} points to {target!r}, which is not unique", hint="add a unique index")
        if pointed.options.multi_tenant and not spec.options.multi_tenant:
            raise ModelError(
                f"{place} points to {model_name}, whose records are of tenants, and {spec.name} has none",
                hint=f"make {spec.name} multi-tenant too, or leave the foreign key out",
            )
        if pointed.options.multi_tenant and key.on_delete.startswith("set ") and column != "id":
            raise ModelError(
                f"{place} is set null, which can only point to the id of {model_name}", hint="point to the id"
            )
        wanted = pointed.by_name[column].python_type
        if wanted is not field.python_type:
            raise ModelError(
                f"{place} is {field.python_type.__name__}, and {target} is {wanted.__name__}",
                hint="give them the same type",
            )


def _is_key(spec: ModelSpec, column: str) -> bool:
    """Whether a foreign key can point there. An index that leaves out marked records is not enough for a database."""
    fields = (TENANT, column) if spec.options.multi_tenant else (column,)
    full = any(index.unique and index.fields == fields and not index.live for index in spec.indexes)
    return spec.by_name[column].primary_key or full


def _same(one: ModelSpec, other: ModelSpec) -> bool:
    """Whether a declaration is the other again: functions that make defaults are new at each, and do not count."""
    return _comparable(one) == _comparable(other)


def _comparable(spec: ModelSpec) -> tuple[Any, ...]:
    parts = partial(map, _comparable_field)
    return (
        spec.module,
        spec.name,
        spec.table,
        spec.indexes,
        spec.options,
        tuple(spec.renamed.items()),
        tuple(parts(spec.fields)),
    )


def _comparable_field(field: FieldSpec) -> Any:
    default = "a function" if callable(field.default) else repr(field.default)
    kind = f"{field.python_type.__module__}.{field.python_type.__qualname__}"
    return field.name, kind, repr(field.annotation), field.nullable, default, field.primary_key, field.foreign_key
