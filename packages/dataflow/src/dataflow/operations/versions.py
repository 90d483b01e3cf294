"""How the versions of a record are asked for, and how it is put back to one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from dataflow.model.spec import ModelSpec
from dataflow.operations import parameters
from dataflow.operations import values as ops
from dataflow.operations.parameters import Given
from dataflow.operations.spellings import Asked

MOST: Final = 1_000  # versions of one answer; arbitrary
LIMIT: Final = 100


def history(spec: ModelSpec, given: Given) -> Asked:
    """``id`` or ``record_id``; ``limit``; ``before``, a version; ``include_deleted``."""
    parameters.kept(spec, "id")
    parameters.only(
        spec, "history", given, ("id", "record_id", "limit", "before", "raise_on_not_found"), "include_deleted"
    )
    limit, before = given.get("limit", LIMIT), given.get("before")
    if type(limit) is not int or not 1 <= limit <= MOST:
        raise parameters.invalid(spec, "limit", "constraint", f"'limit' must be 1 to {MOST} versions")
    shown = "include_deleted" in given and parameters.flag(spec, given, "include_deleted", default=False)
    operation = ops.History(
        spec.name,
        _id(spec, "history", given),
        limit=limit,
        before=None if before is None else parameters.number(spec, "before", before),
        deleted="shown" if shown else "hidden",
    )
    return Asked(operation, parameters.flag(spec, given, "raise_on_not_found", default=True))


def revert(spec: ModelSpec, given: Given) -> Asked:
    """``id`` or ``record_id``; ``version``; ``expected_version``."""
    parameters.kept(spec, "version")
    parameters.only(spec, "revert", given, ("id", "record_id", "version"), "expected_version")
    if given.get("version") is None:
        raise parameters.invalid(spec, "version", "missing", "'version' is missing: the one to go back to")
    version = parameters.number(spec, "version", given["version"])
    id = _id(spec, "revert", given)
    return Asked(ops.Update(spec.name, {}, id, version=parameters.expected(spec, given), revert=version))


def shown(found: Sequence[ops.Version]) -> list[dict[str, Any]]:
    """Return versions as callers see them."""
    return [msgspec.structs.asdict(each) for each in found]


def _id(spec: ModelSpec, action: str, given: Given) -> Any:
    id = given.get("id", given.get("record_id"))
    if id is None:
        parameters.missing(spec, "id", f"{action} needs 'id'")
    return spec.record.check_value("id", id)
