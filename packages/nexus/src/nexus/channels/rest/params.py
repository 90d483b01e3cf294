"""Query string -> inputs: the reserved words, and everything else as a filter.

Rule 1: a reserved word is never a filter; a field of that name is reached as ``limit__eq=5``.
Rule 2: what is unknown is an error that lists what is known; nothing is ignored in silence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote_plus, unquote_to_bytes

from kailash import conditions
from kailash.errors import InvalidFilterError, NotAvailableError, did_you_mean
from kailash.shapes import Shape, decode_json
from nexus.channels.rest.refusals import InvalidPageError, InvalidQueryError

DEFAULT_LIMIT: Final = 20  # records of a page; arbitrary, a screenful
MAX_LIMIT: Final = 1000  # records; arbitrary, keeps an answer within a few hundred kilobytes
WHOLE: Final = re.compile(r"[0-9]{1,18}")

Pairs = list[tuple[str, str]]
Readers = Mapping[str, Callable[[str], Any]]
NONE: Final[Readers] = {}


def pairs(query: bytes) -> Pairs:
    """Return the keys and values of a query string, in order; a key alone has the value ``true``.

    Raises: InvalidQueryError when it is not percent-encoded UTF-8.
    """
    if not query:
        return []
    found: Pairs = []
    for part in query.split(b"&"):
        if part:
            key, equals, value = part.partition(b"=")
            found.append((_text(key), _text(value) if equals else "true"))
    return found


def optional(schema: Mapping[str, Any]) -> Mapping[str, Callable[[str], Any]]:
    """Return how the parameters are read that only some resources have, of inputs of that schema."""
    return {name: read for name, read in OPTIONAL.items() if name in schema.get("properties", {})}


def for_list(query: bytes, record: Shape | None, also: Readers = NONE) -> dict[str, Any]:
    """Return the inputs of a list. also: `optional` parameters.

    Raises: InvalidFilterError, InvalidPageError, InvalidQueryError, MalformedJSONError.
    """
    known = {**RESERVED, **also} if also else RESERVED
    inputs, filters = _apart(query, known)
    inputs.setdefault("limit", DEFAULT_LIMIT)
    if not inputs.get("count", True):
        del inputs["count"]
    _add_filters(inputs, filters, record, known)
    return inputs


def for_count(query: bytes, record: Shape | None, also: Readers = NONE) -> dict[str, Any]:
    """Return the inputs of a count: a filter, and *also*. Raises: as `for_list`."""
    inputs, filters = _apart(query, {"filter": _filter, **also})
    _add_filters(inputs, filters, record)
    return inputs


def for_totals(query: bytes, record: Shape | None, also: Readers = NONE) -> dict[str, Any]:
    """Return the inputs of an aggregate. Raises: as `for_list`."""
    known = {**TOTALS, **also}
    inputs, filters = _apart(query, known)
    _add_filters(inputs, filters, record, known)
    return inputs


def for_one(query: bytes, also: Readers = NONE) -> dict[str, Any]:
    """Return the inputs that the query string of one record may give. Raises: InvalidQueryError."""
    return only(query, {"fields": _names, "include": _names, **also})


def for_versions(query: bytes, also: Readers = NONE) -> dict[str, Any]:
    """Return the inputs of a history. Raises: InvalidQueryError; InvalidPageError."""
    return only(query, {"limit": _limit, "before": _version, **also})


def only(query: bytes, known: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
    """Return the values of the *known* keys. Raises: InvalidQueryError for any other."""
    inputs: dict[str, Any] = {}
    for key, value in pairs(query):
        if key not in known:
            raise InvalidQueryError(f"no query parameter is named {key!r} here", hint=did_you_mean(key, known))
        inputs[key] = known[key](value)
    return inputs


def next_page(query: bytes, cursor: str) -> str:
    """Return the query string of the page after this one."""
    kept = [
        part.decode("latin-1").replace(">", "%3E")
        for part in query.split(b"&")
        if part and part.partition(b"=")[0] not in {b"cursor", b"offset"}
    ]
    return "&".join([*kept, f"cursor={quote_plus(cursor)}"])


def names(text: str) -> list[str]:
    """Return the names that stand in *text* with commas between."""
    return _names(text)


def _apart(query: bytes, known: Mapping[str, Callable[[str], Any]]) -> tuple[dict[str, Any], Pairs]:
    """Return the values of the *known* keys, and all other pairs. Raises: InvalidQueryError for a key given twice."""
    inputs: dict[str, Any] = {}
    others: Pairs = []
    for key, value in pairs(query):
        read = known.get(key)
        if read is None:
            others.append((key, value))
        elif key in inputs:
            raise InvalidQueryError(f"{key!r} is given twice", hint="give it once, with commas between several")
        else:
            inputs[key] = read(value)
    return inputs, others


def _add_filters(
    inputs: dict[str, Any], filters: Pairs, record: Shape | None, reserved: Iterable[str] | None = None
) -> None:
    if not filters:
        return
    if record is None:
        raise InvalidQueryError(f"no query parameter is named {filters[0][0]!r} here", hint="leave it out")
    try:
        where = conditions.read_text(filters, record)
    except InvalidFilterError as error:
        raise _with_reserved(error, filters, record, reserved or RESERVED) from None
    given = inputs.get("filter")
    inputs["filter"] = where if given is None else conditions.parse(given, record) & where


def _with_reserved(
    error: InvalidFilterError, filters: Pairs, record: Shape, reserved: Iterable[str]
) -> InvalidFilterError:
    """Return *error*, its hint naming the reserved words too when a key is nearer to one of them."""
    for key, _ in filters:
        field = key.partition("__")[0]
        if field not in record.fields:
            hint = did_you_mean(field, [*record.fields, *reserved], most=40)
            return InvalidFilterError(error.message, hint=hint, problems=error.problems)
    return error


def _text(part: bytes) -> str:
    if b"+" in part:
        part = part.replace(b"+", b" ")
    if b"%" in part:
        part = unquote_to_bytes(part)
    try:
        return part.decode()
    except UnicodeDecodeError:
        raise InvalidQueryError("the query string is not percent-encoded UTF-8", hint="encode it anew") from None


def _limit(text: str) -> int:
    if not WHOLE.fullmatch(text) or not 1 <= int(text) <= MAX_LIMIT:
        raise InvalidPageError(
            "limit is not a number of records that one page can have",
            hint=f"give 1 to {MAX_LIMIT}, and follow the cursor for more",
        )
    return int(text)


def _offset(text: str) -> int:
    if not WHOLE.fullmatch(text):
        raise InvalidPageError("offset is not a number of records", hint="give 0 or more, or use the cursor")
    return int(text)


def _version(text: str) -> int:
    if not WHOLE.fullmatch(text):
        raise InvalidQueryError("before is not the number of a version", hint="give the least that you have seen")
    return int(text)


def _truth(text: str) -> bool:
    if text not in TRUTHS:
        raise InvalidQueryError("include_deleted is neither true nor false", hint="give true, or leave it out")
    return TRUTHS[text]


def _filter(text: str) -> dict[str, Any]:
    given = decode_json(text)
    if not isinstance(given, dict):
        raise InvalidFilterError("filter is not a JSON object", hint='for example filter={"price": {"$gte": 5}}')
    return given


def _count(text: str) -> str | None:
    match text:
        case "exact" | "true" | "1":
            return "exact"
        case "none" | "false" | "0":
            return None
        case "estimated":
            raise NotAvailableError("count=estimated is not available in this version", hint="use count=exact")
        case _:
            raise InvalidQueryError("count is neither exact nor none", hint="give count=exact or leave it out")


def _groups(text: str) -> list[Any]:
    """Names with commas between, or a JSON list."""
    if not text.lstrip().startswith("["):
        return _names(text)
    given = decode_json(text)
    return given if isinstance(given, list) else [given]


def _object(text: str) -> dict[str, Any]:
    given = decode_json(text)
    if not isinstance(given, dict):
        raise InvalidQueryError("aggregate and having are JSON objects", hint='for example {"n": {"$count": "*"}}')
    return given


def _names(text: str) -> list[str]:
    return [name for name in (part.strip() for part in text.split(",")) if name]


def _not_yet(text: str) -> Any:
    raise NotAvailableError(
        "the query parameter 'q' is not available in this version", hint="a field of that name is reached with q__eq="
    )


RESERVED: Final[Mapping[str, Callable[[str], Any]]] = {
    "limit": _limit,
    "offset": _offset,
    "cursor": str,
    "sort": str,
    "fields": _names,
    "filter": _filter,
    "count": _count,
    "include": _names,
    "q": _not_yet,
}
TRUTHS: Final = {"true": True, "1": True, "false": False, "0": False}
OPTIONAL: Final[Readers] = {"as_of": str, "include_deleted": _truth}
TOTALS: Final[Mapping[str, Callable[[str], Any]]] = {
    "group_by": _groups,
    "aggregate": _object,
    **dict.fromkeys(("sum", "avg", "min", "max", "count_distinct"), _names),
    "count": lambda text: text not in ("false", "0"),
    "filter": _filter,
    "having": _object,
    "sort": str,
    "limit": _limit,
}
