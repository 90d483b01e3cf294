"""A time as text, as SQLite and the ledger of changes keep it: microseconds and an offset, always."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

_UTC: Final = len("2026-01-02T03:04:05.000006Z")
_last: tuple[datetime | None, str] = (None, "")


def text(moment: datetime) -> str:
    """Return ``2026-01-02T03:04:05.000006+00:00``; without the offset where *moment* has no zone.

    The last one is remembered: an operation stamps all of its rows, and what is told of them, with one. What most are,
    in UTC and not at a whole second, msgspec writes in a tenth of the microsecond that `datetime.isoformat` takes.
    """
    global _last  # noqa: PLW0603 - one tuple, replaced whole: threads cannot see half of it
    known, spelled = _last
    if known is not moment:
        try:
            found = str(msgspec.to_builtins(moment))
        except TypeError:  # a datetime of another library's
            found = ""
        usual = len(found) == _UTC and found[-1] == "Z"
        spelled = f"{found[:-1]}+00:00" if usual else moment.isoformat(timespec="microseconds")
        _last = (moment, spelled)
    return spelled
