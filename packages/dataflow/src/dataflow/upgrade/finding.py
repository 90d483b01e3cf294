"""What is found in a file, as values; and the addresses that moved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec


class Moved(msgspec.Struct, frozen=True):
    """Where a class is imported from now."""

    home: str
    name: str
    said: str


MOVED: Final[Mapping[str, Moved]] = {  # the modules that warn: `dataflow.core.engine`, `nexus.core`
    "dataflow.core.engine": Moved("dataflow", "DataFlow", "dataflow.core.engine.DataFlow is now dataflow.DataFlow"),
    "nexus.core": Moved("nexus", "Nexus", "nexus.core.Nexus is now nexus.Nexus"),
}


class Finding(msgspec.Struct, frozen=True, order=True):
    """One sentence about one line, counted from 1."""

    line: int
    said: str


class Upgraded(msgspec.Struct, frozen=True):
    """What became of a text: the new one, what changed, what a person must decide, and older names in other places.

    *mentions* are older names in texts and in other calls; *elsewhere*: the keywords of some `DataFlow` come from a
    place that is not its call, so that such a mention may be one of them.
    """

    source: str
    changes: tuple[Finding, ...] = ()
    undecided: tuple[Finding, ...] = ()
    mentions: tuple[Finding, ...] = ()
    elsewhere: bool = False
