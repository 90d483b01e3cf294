"""What a model says about itself besides its fields.

These are ``__tablename__``, ``__indexes__``, ``__renamed__``, ``__dataflow__``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from dataflow.errors import ModelError
from dataflow.model import naming
from dataflow.model.fields import vars_of
from dataflow.model.spec import TENANT, IndexSpec, ModelOptions
from kailash._standard import difflib
from kailash.errors import NotAvailableError, did_you_mean
from kailash.shapes import REQUIRED

KNOWN: Final = ("__tablename__", "__indexes__", "__dataflow__", "__renamed__", "__analytics__")
ORDINARY: Final = frozenset({"__module__", "__doc__", "__qualname__", "__annotations__", "__dict__", "__slots__"})
CACHED: Final = ("read", "get", "list", "count", "aggregate")  # what ``cache`` can give times for; get is read
EVENTS: Final = ("create", "update", "delete")  # besides "<field>_change"
RESERVED_PREFIXES: Final = ("sqlite_", "pg_", "dataflow_")  # tables of the databases, and our own


def table(cls: type) -> str:
    """Return the name of the model's table; a base's ``__tablename__`` is the base's own."""
    _refuse_near_misses(cls)
    name = vars(cls).get("__tablename__", None)
    if name is None:
        name = naming.table_name(cls.__name__)
        if len(name.encode()) > naming.MAX_BYTES:
            raise ModelError(
                f"the table of model {cls.__name__} would be {name!r}, longer than {naming.MAX_BYTES} bytes",
                hint="set a shorter __tablename__",
            )
    if not isinstance(name, str) or not naming.is_usable(name):
        raise ModelError(f"__tablename__ of model {cls.__name__} is {name!r}", hint=naming.USABLE)
    if name.lower().startswith(RESERVED_PREFIXES):
        raise ModelError(f"the table name {name!r} of model {cls.__name__} is reserved", hint="set __tablename__")
    return name


def _refuse_near_misses(cls: type) -> None:
    """Refuse ``__index__ = [...]``, which would be ignored in silence."""
    for name, value in vars(cls).items():
        if name in ORDINARY or name in KNOWN or not (name.startswith("__") and name.endswith("__")):
            continue
        if isinstance(value, str | Sequence | Mapping) and (close := difflib.get_close_matches(name, KNOWN, 1, 0.75)):
            raise ModelError(f"model {cls.__name__} has {name}", hint=f"did you mean {close[0]}?")
    if vars_of(cls, "__analytics__") not in (REQUIRED, None, {}, [], ()):
        raise NotAvailableError(f"__analytics__ of model {cls.__name__} is not available in this version")


def options(cls: type, defaults: ModelOptions, columns: Sequence[str]) -> ModelOptions:
    """Return the options of the model, whose fields are *columns*.

    Raises: ModelError; NotAvailableError for a feature of a later version that is asked for.
    """
    said = vars_of(cls, "__dataflow__")
    if said is REQUIRED or said is None:
        return defaults
    if not isinstance(said, Mapping):
        raise ModelError(f"__dataflow__ of model {cls.__name__} must be a dict")
    given = {}
    for name, value in said.items():
        if name in OPTIONS:
            given[name] = OPTIONS[name](cls.__name__, name, value, columns)
        else:
            raise ModelError(
                f"__dataflow__ of model {cls.__name__} has the unknown option {name!r}",
                hint=did_you_mean(str(name), OPTIONS),
            )
    found = replace(defaults, **given)
    if given.get("history") and not found.versioned:
        raise ModelError(f"model {cls.__name__} has 'history' and no versions", hint="set 'versioned' too")
    return found


def _flag(model: str, name: str, value: Any, columns: Sequence[str]) -> bool:
    if isinstance(value, bool):
        return value
    raise ModelError(f"{name!r} in __dataflow__ of model {model} must be True or False")


def _seconds(model: str, name: str, value: Any, columns: Sequence[str]) -> bool | float | Mapping[str, bool | float]:
    if isinstance(value, Mapping):
        known = ("ttl", *CACHED)
        if unknown := next((each for each in value if each not in known), None):
            raise ModelError(
                f"{name!r} in __dataflow__ of model {model} has the unknown key {unknown!r}",
                hint=did_you_mean(str(unknown), known),
            )
        values, found = [*value.values()], dict(value)
    else:
        values, found = [value], value
    if all(isinstance(each, bool) or (isinstance(each, int | float) and each > 0) for each in values):
        return found
    raise ModelError(f"{name!r} in __dataflow__ of model {model} must be True, False or a number of seconds")


def _fields(model: str, name: str, value: Any, columns: Sequence[str]) -> tuple[str, ...]:
    fields = (value,) if isinstance(value, str) else tuple(value or ())
    if unknown := next((field for field in fields if field not in columns), None):
        raise ModelError(
            f"{name!r} of model {model} names {unknown!r}, which is not a field",
            hint=did_you_mean(str(unknown), columns),
        )
    return fields


def _events(model: str, name: str, value: Any, columns: Sequence[str]) -> tuple[str, ...]:
    known = (*EVENTS, *[f"{column}_change" for column in columns])
    events = (value,) if isinstance(value, str) else tuple(value or ())
    for event in events:
        if event not in known:
            hint = did_you_mean(str(event), known)
            raise ModelError(f"{name!r} of model {model} has the unknown event {event!r}", hint=hint)
    return events


OPTIONS: Final[Mapping[str, Callable[[str, str, Any, Sequence[str]], Any]]] = {
    **dict.fromkeys(("multi_tenant", "soft_delete", "versioned", "history", "audit_log"), _flag),
    "cache": _seconds,
    "feed": _flag,
    "encrypted": _fields,
    "timestamps": _flag,
    "workflow_events": _events,
}


def indexes(cls: type, table_name: str, columns: Sequence[str], options: ModelOptions) -> tuple[IndexSpec, ...]:
    """Return the indexes of ``__indexes__``: ``[{"fields": ["sku"], "unique": True, "name": "sku_once"}]``.

    A multi-tenant model has one more, on the tenant and the id: its pages are read by it, and foreign keys point to it.
    """
    said = vars_of(cls, "__indexes__")
    if said is REQUIRED or said is None:
        said = ()
    if not isinstance(said, list | tuple):
        raise ModelError(f"__indexes__ of model {cls.__name__} must be a list of dicts")
    found = tuple(_index(cls.__name__, table_name, columns, each, options) for each in said)
    if options.multi_tenant and not any(index.unique and index.fields == (TENANT, "id") for index in found):
        fields = (TENANT, "id")
        found = (*found, IndexSpec(naming.index_name(table_name, fields, unique=True), fields, unique=True))
    names = [index.name for index in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ModelError(f"__indexes__ of model {cls.__name__} has {twice!r} twice")
    return found


def renamed(cls: type, table_name: str, columns: Mapping[str, str]) -> dict[str, str]:
    """Return ``__renamed__``: what a column, or the table, was called -> what it is called now.

    columns: field -> its column. The class says ``{"former": "now"}``; now is a field, or a column where it has another
    name than its field, or the table: ``{"clients": "customers"}``.
    """
    said = vars(cls).get("__renamed__")
    if said is None:
        return {}
    if not isinstance(said, Mapping) or not all(isinstance(word, str) for pair in said.items() for word in pair):
        raise ModelError(f"__renamed__ of model {cls.__name__} must be a dict of names", hint='write {"former": "now"}')
    there = (*columns.values(), table_name)
    known = {**{name: name for name in there}, **columns}
    for old, new in said.items():
        if new not in known:
            hint = did_you_mean(new, known)
            raise ModelError(f"__renamed__ of model {cls.__name__} ends at {new!r}, which is no field", hint=hint)
        if old in there:
            raise ModelError(
                f"__renamed__ of model {cls.__name__} begins at {old!r}, which is still there",
                hint="the former name comes first: {'former': 'now'}",
            )
    found = {old: known[new] for old, new in said.items()}
    if len({*found.values()}) < len(found):
        raise ModelError(f"__renamed__ of model {cls.__name__} gives two fields one name")
    return found


def _index(model: str, table_name: str, columns: Sequence[str], said: Any, options: ModelOptions) -> IndexSpec:
    if not isinstance(said, Mapping):
        raise ModelError(f"an index of model {model} must be a dict", hint='write {"fields": ["sku"], "unique": True}')
    if unknown := next((key for key in said if key not in ("fields", "unique", "name")), None):
        hint = did_you_mean(str(unknown), ("fields", "unique", "name"))
        raise ModelError(f"an index of model {model} has the unknown key {unknown!r}", hint=hint)
    fields = _index_fields(model, columns, said.get("fields"))
    unique = said.get("unique", False)
    if not isinstance(unique, bool):
        raise ModelError(f"'unique' of an index of model {model} must be True or False")
    live = unique and options.soft_delete
    if options.multi_tenant and TENANT not in fields:
        fields = (TENANT, *fields)
    name = said.get("name") or naming.index_name(table_name, (*fields, "live") if live else fields, unique=unique)
    if not isinstance(name, str) or not naming.is_usable(name):
        raise ModelError(f"the index name {name!r} of model {model} is of no use", hint=naming.USABLE)
    return IndexSpec(name, fields, unique, live)


def _index_fields(model: str, columns: Sequence[str], said: Any) -> tuple[str, ...]:
    fields = (said,) if isinstance(said, str) else tuple(said or ())
    if not fields:
        raise ModelError(f"an index of model {model} has no fields")
    if unknown := next((field for field in fields if field not in columns), None):
        hint = did_you_mean(str(unknown), columns)
        raise ModelError(f"an index of model {model} is on {unknown!r}, which is not a field", hint=hint)
    if len(set(fields)) < len(fields):
        raise ModelError(f"an index of model {model} has a field twice")
    return fields
