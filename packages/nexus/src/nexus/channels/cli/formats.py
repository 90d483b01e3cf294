"""The forms in which values come in and go out."""

from __future__ import annotations

import enum


class Format(enum.Enum):
    """A way to write records: JSON, one JSON value a line, comma-separated, or for people."""

    JSON = "json"
    TABLE = "table"
    CSV = "csv"
    NDJSON = "ndjson"
