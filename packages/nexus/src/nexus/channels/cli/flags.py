"""The flags of one capability, and the values that their words stand for.

Rule 1: flags are made from ``capability.inputs.schema()`` and ``capability.record``, never from a model.
Rule 2: what a command itself takes keeps its name. A field of such a name is ``--field-<name>`` in every command,
        and always reachable through ``--set`` and ``--where`` as well.
Rule 3: every word that cannot be read is reported, not the first alone.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from kailash import conditions, shapes
from kailash.capability import Capability
from kailash.errors import InvalidInputError
from nexus.channels.cli import verbs

# What some command keeps for itself: these words mean the same in all of them.
SETTINGS = ("--help", "--output", "--quiet", "--verbose", "--no-color", "--yes", "--dry-run", "--all")
PARTS = (
    "--filter",
    "--where",
    "--set",
    "--file",
    "--format",
    "--match",
    "--create",
    "--update",
    "--conflict-on",
    "--ids",
)
PAGING = ("--sort", "--order-by", "--limit", "--offset", "--cursor", "--fields", "--count", "--include")
BULK = ("--ids", "--atomic", "--returning", "--on-conflict", "--conflict-resolution")
CONTESTED = frozenset((*SETTINGS, *PARTS, *PAGING, *BULK))


class Use(enum.Enum):
    """What a flag's word becomes."""

    VALUE = "value"  # a field of the record that is written
    FILTER = "filter"  # a condition on the records that are meant
    INPUT = "input"  # an input of the capability that is no field: limit, on_conflict


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """One ``--flag``; *name* is the field, the lookup (``price__gte``) or the input that it fills."""

    spelled: str
    use: Use
    name: str
    schema: Mapping[str, Any] = {}
    summary: str = ""
    hidden: bool = False


def flags(capability: Capability, verb: verbs.Verb, reserved: Iterable[str]) -> tuple[Flag, ...]:
    """Return the flags of *capability*, in the order help shows them.

    reserved: the spellings (``--filter``) that the command keeps for itself. A field whose spelling is contested has
    ``--field-`` before it, and its own spelling too where that is free; one that finds both taken is left out.
    """
    taken = set(reserved)
    chosen: list[Flag] = []
    for flag in _wanted(capability, verb):
        prefixed = "--field-" + flag.spelled.removeprefix("--")
        contested = flag.use is not Use.INPUT and (flag.spelled in taken or flag.spelled in CONTESTED)
        for spelled, hidden in ((flag.spelled, flag.hidden or contested), (prefixed, flag.hidden or not contested)):
            if spelled not in taken and (contested or spelled == flag.spelled):
                taken.add(spelled)
                chosen.append(msgspec.structs.replace(flag, spelled=spelled, hidden=hidden))
    return tuple(chosen)


def read_values(capability: Capability, words: Mapping[str, str]) -> dict[str, Any]:
    """Return ``{field: value}`` for ``{field: text}``.

    An unknown field keeps its text, so that the capability refuses it in its own words.
    Raises: InvalidInputError with every word that cannot be read.
    """
    record = capability.record
    known = record.fields if record is not None else {}
    schema = capability.inputs.schema().get("properties", {})

    def read(name: str, text: str) -> Any:
        if record is not None and name in known:
            return record.read_text(name, text)
        return read_input(schema.get(name, {}), text)

    return _each(words, read)


def read_inputs(capability: Capability, given: Iterable[tuple[Flag, str]]) -> dict[str, Any]:
    """Return ``{input: value}`` for flags of `Use.INPUT`. Raises: InvalidInputError with every bad word."""
    pairs = list(given)
    schema = {flag.name: flag.schema for flag, _ in pairs}
    record = capability.record

    def read(name: str, text: str) -> Any:
        if name == "ids" and record is not None and "id" in record.fields:
            return [record.read_text("id", word.strip()) for word in text.split(",") if word.strip()]
        return read_input(schema[name], text)

    return _each({flag.name: text for flag, text in pairs}, read)


def read_filter(capability: Capability, raw: str | None, pairs: Sequence[tuple[str, str]]) -> Any:
    """Return the filter that ``--filter`` and the lookups ask for together; None when neither was given.

    Raises: InvalidFilterError; MalformedJSONError.
    """
    tree = read_object("--filter", raw) if raw is not None else None
    record = capability.record
    if not pairs or record is None:
        return {**tree, **dict(pairs)} if tree is not None else (dict(pairs) or None)
    asked = conditions.read_text(pairs, record)
    return conditions.parse(tree, record) & asked if tree is not None else asked


def read_object(spelled: str, text: str) -> dict[str, Any]:
    """Return the JSON object that *text* is. Raises: MalformedJSONError; InvalidInputError for other JSON."""
    found = shapes.decode_json(text.encode("utf-8", "surrogatepass"))
    if not isinstance(found, dict):
        raise InvalidInputError(f"{spelled} takes a JSON object", hint="""write it like '{"price": 5}'""")
    return found


def read_pair(spelled: str, text: str) -> tuple[str, str]:
    """Return ``("price__gte", "100")`` for ``price__gte=100``."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise InvalidInputError(f"{spelled} takes name=value, not {text!r}", hint=f'write it like {spelled} "price=5"')
    return name.strip(), value


def read_input(schema: Mapping[str, Any], text: str) -> Any:
    """Return *text* as a value of a JSON Schema; as it is where it is none, for the capability to refuse or to take.

    Raises: MalformedJSONError, where only JSON will do.
    """
    kinds = frozenset(_types(schema))
    if "string" in kinds or not kinds:
        return text
    if "array" in kinds and not text.lstrip().startswith("["):
        return [read_input(schema.get("items", {}), word.strip()) for word in text.split(",") if word.strip()]
    if "boolean" in kinds:
        return _BOOLEANS.get(text.lower(), text)
    return _read_number(text, whole="number" not in kinds) if kinds & {"integer", "number"} else _json(text)


def metavar(flag: Flag) -> str:
    """Return what help shows for the word of *flag*."""
    if flag.use is Use.FILTER:
        return "VALUE"
    kinds = list(dict.fromkeys(_types(flag.schema)))
    return "|".join(_METAVARS.get(kind, kind).upper() for kind in kinds) or "VALUE"


def _wanted(capability: Capability, verb: verbs.Verb) -> Iterator[Flag]:
    properties = capability.inputs.schema().get("properties", {})
    record = capability.record
    fields = _record_fields(capability) if record is not None else {}
    inputs = [name for name in properties if name not in verb.settled]
    if verb.values:
        writable = {name: properties[name] for name in inputs if name in fields} or _nested(properties) or fields
        yield from (_flag(Use.VALUE, name, schema) for name, schema in writable.items() if name not in verb.settled)
        inputs = [name for name in inputs if name not in writable]
    yield from (_flag(Use.INPUT, name, properties[name]) for name in inputs)
    if verb.filters:
        yield from (_flag(Use.FILTER, name, schema) for name, schema in fields.items())
        yield from (_lookup(name, operator) for name in fields for operator in sorted(LOOKUPS))


def _nested(properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields of a record where an input of their own holds them."""
    for name in ("fields", "create"):
        if fields := properties.get(name, {}).get("properties"):
            return dict(fields)
    return {}


def _record_fields(capability: Capability) -> dict[str, Any]:
    properties = capability.record.schema().get("properties", {}) if capability.record is not None else {}
    return dict(properties)


def _flag(use: Use, name: str, schema: Mapping[str, Any]) -> Flag:
    return Flag(spelled="--" + verbs.dashed(name), use=use, name=name, schema=schema, summary=_summary(schema))


def _lookup(name: str, operator: str) -> Flag:
    spelled = f"--{verbs.dashed(name)}-{operator}"
    return Flag(spelled=spelled, use=Use.FILTER, name=f"{name}__{operator}", hidden=True)


def _summary(schema: Mapping[str, Any]) -> str:
    said = schema.get("description", "")
    allowed = schema.get("enum")
    return str(said or (" | ".join(map(str, allowed)) if allowed else ""))


def _types(schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield every JSON type that *schema* allows besides null."""
    declared = schema.get("type", [])
    yield from (kind for kind in ([declared] if isinstance(declared, str) else declared) if kind != "null")
    if "enum" in schema and not declared:
        yield "string"
    for part in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _types(part)


def _read_number(text: str, *, whole: bool) -> int | float | str:
    try:
        return int(text) if whole or text.lstrip("+-").isdecimal() else float(text)
    except ValueError:
        return text


def _json(text: str) -> Any:
    return shapes.decode_json(text.encode("utf-8", "surrogatepass"))


def _each(words: Mapping[str, str], read: Callable[[str, str], Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    faults: list[InvalidInputError] = []
    for name, text in words.items():
        try:
            values[name] = read(name, text)
        except InvalidInputError as fault:
            faults.append(fault)
    if len(faults) == 1:
        raise faults[0]
    if faults:
        problems = [problem for fault in faults for problem in fault.problems]
        raise InvalidInputError("; ".join(fault.message for fault in faults), problems=problems)
    return values


_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_METAVARS = {"string": "text", "array": "list", "object": "json"}
LOOKUPS = frozenset(conditions.OPERATORS)
