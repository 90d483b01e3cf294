"""Names in the database, made from the name of a model: one convention, short enough for PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from zlib import crc32

MAX_BYTES: Final = 63  # of an identifier; PostgreSQL cuts the rest off in silence (NAMEDATALEN - 1)
CHANGED: Final = "dataflow_changed"  # the channel on which PostgreSQL's tables tell that they were written to
WHOSE: Final = "\x1f"  # between the table and the tenant that is told there; neither has it

DIGEST: Final = 9  # characters: an underscore and eight hexadecimal digits

UNUSABLE: Final = frozenset("\"`'\\.%?")  # of names: what one of the languages that they pass through would misread
USABLE: Final = f"use printable characters, none of {' '.join(sorted(UNUSABLE))}, at most {MAX_BYTES} bytes"

IRREGULAR: Final = {
    "person": "people", "child": "children", "man": "men", "woman": "women", "mouse": "mice", "goose": "geese",
    "foot": "feet", "tooth": "teeth", "ox": "oxen", "quiz": "quizzes", "datum": "data", "medium": "media",
    "criterion": "criteria", "leaf": "leaves", "life": "lives", "knife": "knives", "shelf": "shelves",
    "half": "halves", "wolf": "wolves", "thief": "thieves", "loaf": "loaves", "wife": "wives", "self": "selves",
    "hero": "heroes", "potato": "potatoes", "tomato": "tomatoes", "echo": "echoes", "veto": "vetoes",
}  # fmt: skip
UNCOUNTED: Final = frozenset(
    {"data", "metadata", "news", "series", "species", "equipment", "information", "staff", "feedback", "software",
     "hardware", "people", "children", "media", "sheep", "fish", "money", "stuff"}
)  # fmt: skip


def table_name(model: str) -> str:
    """Return the plural in snake case: Category -> categories, OrderItem -> order_items, Person -> people."""
    *words, last = snake(model).split("_")
    return "_".join([*words, plural(last)])


def snake(name: str) -> str:
    """Return CamelCase as snake_case: HTTPRequest -> http_request, Order2Item -> order2_item."""
    parted = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", parted).lower()


def slug(name: str) -> str:
    """Return *name* in small letters, digits and underscores: "Order Details" -> order_details, naïve -> na_ve."""
    words = re.sub(r"[^a-z0-9]+", "_", snake(name)).strip("_") or "_"
    return words if not words[0].isdigit() else f"_{words}"


def plural(word: str) -> str:
    """Return the plural of an English noun in lower case; a plural stays as it is."""
    if word in UNCOUNTED or word in IRREGULAR.values():
        return word
    if word in IRREGULAR:
        return IRREGULAR[word]
    if re.search(r"[^aeiou]y$", word):
        return word[:-1] + "ies"
    if word.endswith("sis"):
        return word[:-2] + "es"
    if re.search(r"(ss|us|is|as|os|x|z|ch|sh)$", word):
        return word + "es"
    return word if word.endswith("s") else word + "s"


def is_usable(name: str) -> bool:
    """Whether a table or a column may be called so: what is no identifier is quoted."""
    return bool(name) and name.isprintable() and not UNUSABLE & {*name} and len(name.encode()) <= MAX_BYTES


def index_name(table: str, fields: Sequence[str], *, unique: bool) -> str:
    """Return the name of an index on *fields*."""
    return fit("_".join(["uq" if unique else "ix", table, *fields]))


def foreign_key_name(table: str, field: str) -> str:
    """Return the name of the constraint on *field*."""
    return fit(f"fk_{table}_{field}")


def primary_key_name(table: str) -> str:
    """Return the name of the constraint of the primary key."""
    return fit(f"pk_{table}")


def check_name(table: str, field: str, expression: str) -> str:
    """Return the name of the check of *field*: what every check of it begins with, and a digest of what it says."""
    return f"{_check_prefix(table, field)}{crc32(expression.encode()):08x}"


def is_check_of(name: str, table: str, field: str) -> bool:
    """Whether *name* is one of a check of that field, whatever it says."""
    beginning = _check_prefix(table, field)
    return name.startswith(beginning) and len(name) == len(beginning) + DIGEST - 1


def _check_prefix(table: str, field: str) -> str:
    name = f"ck_{table}_{field}"
    written = name.encode()
    if len(written) > MAX_BYTES - DIGEST:
        name = f"{written[: MAX_BYTES - 2 * DIGEST].decode(errors='ignore')}_{crc32(written):08x}"
    return f"{name}_"


def fit(name: str) -> str:
    """Return *name*, or its beginning and a checksum of the whole where it is longer than `MAX_BYTES`."""
    written = name.encode()
    if len(written) <= MAX_BYTES:
        return name
    digest = f"{crc32(written):08x}"
    return f"{written[: MAX_BYTES - 9].decode(errors='ignore')}_{digest}"
