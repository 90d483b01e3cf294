"""The words that follow a resource: what each takes besides what its capability declares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from kailash.capability import Capability


class Verb(msgspec.Struct, frozen=True, kw_only=True):
    """How one action is spelled on a command line. The defaults fit an action nobody described here."""

    word: str  # "get"
    identified: bool = False  # takes an ID
    values: bool = False  # takes the fields of one record as flags
    changes: bool = False  # takes --set without a flag for each field
    filters: bool = False  # takes --filter, --where and a flag for each field and operator
    file: bool = False  # takes --file
    file_required: bool = False
    whole: bool = False  # an empty filter needs --all
    match: bool = False  # takes --match, --create and --update (an upsert that spells them out)
    settled: frozenset[str] = frozenset()  # inputs that the parts above fill in


VERBS: Mapping[str, Verb] = {
    "create": Verb(word="create", values=True),
    "read": Verb(
        word="get",
        identified=True,
        settled=frozenset({"id", "record_id", "filter", "conditions", "raise_on_not_found"}),
    ),
    "list": Verb(word="list", filters=True, settled=frozenset({"filter", "order_by"})),
    "count": Verb(word="count", filters=True, settled=frozenset({"filter"})),
    "aggregate": Verb(word="aggregate", filters=True, settled=frozenset({"filter", "order_by"})),
    "update": Verb(
        word="update",
        identified=True,
        values=True,
        settled=frozenset({"id", "record_id", "filter", "fields", "conditions", "updates"}),
    ),
    "delete": Verb(word="delete", identified=True, settled=frozenset({"id", "record_id", "filter", "conditions"})),
    "history": Verb(word="history", identified=True, settled=frozenset({"id"})),
    "revert": Verb(word="revert", identified=True, settled=frozenset({"id"})),
    "restore": Verb(word="restore", identified=True, settled=frozenset({"id"})),
    "purge": Verb(word="purge", identified=True, settled=frozenset({"id"})),
    "upsert": Verb(
        word="upsert", values=True, match=True, settled=frozenset({"where", "create", "update", "conflict_on"})
    ),
    "bulk_create": Verb(word="bulk-create", file=True, file_required=True, settled=frozenset({"data", "records"})),
    "bulk_update": Verb(
        word="bulk-update",
        filters=True,
        changes=True,
        file=True,
        whole=True,
        settled=frozenset({"data", "records", "filter", "fields", "update", "updates", "conditions", "confirmed"}),
    ),
    "bulk_delete": Verb(
        word="bulk-delete",
        filters=True,
        whole=True,
        settled=frozenset({"filter", "conditions", "confirmed"}),
    ),
    "bulk_upsert": Verb(word="bulk-upsert", file=True, file_required=True, settled=frozenset({"data", "records"})),
}


def verb_of(capability: Capability) -> Verb:
    """Return how *capability* is spelled; one of an action that nobody described takes a flag for each input."""
    return VERBS.get(capability.action) or Verb(word=dashed(capability.action or capability.name))


def dashed(name: str) -> str:
    """Return *name* as words of a command line are written: ``order_items`` is ``order-items``."""
    return name.replace("_", "-").replace(".", "-")


def order(capabilities: Iterable[Capability]) -> list[Capability]:
    """Return *capabilities* as help lists them: the known verbs in their usual order, then the others by name."""
    rank = {action: place for place, action in enumerate(VERBS)}
    return sorted(capabilities, key=lambda each: (rank.get(each.action, len(rank)), each.name))
