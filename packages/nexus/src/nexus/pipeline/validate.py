"""Are the inputs acceptable: the capability's own intake decides, and each channel's cap on records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nexus.call import Draft
from nexus.errors import TooLargeError

BATCHES = ("data", "records", "ids")


class Validate:
    """The gate; caps: channel -> most records that one call may carry or ask for."""

    def __init__(self, caps: Mapping[str, int] | None = None) -> None:
        self._caps = dict(caps or {})

    async def __call__(self, draft: Draft) -> Draft:
        call = draft.call
        if self._caps and (cap := self._caps.get(call.channel)) is not None:
            _within(call.inputs, cap)
        return Draft(call, draft.capability, draft.context, draft.capability.inputs.accept(call.inputs))


def _within(inputs: Mapping[str, Any], cap: int) -> None:
    for name in BATCHES:
        batch = inputs.get(name)
        if isinstance(batch, list | tuple) and len(batch) > cap:
            raise TooLargeError(f"{name!r} has {len(batch)} records, over the limit of {cap}", hint="send it in parts")
    limit = inputs.get("limit")
    if isinstance(limit, int) and limit > cap:
        raise TooLargeError(f"a limit of {limit} is over the limit of {cap} records", hint="page with the cursor")
