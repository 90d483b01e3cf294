"""What must not be shown: secrets, known by their names, and passwords inside URLs.

Rule: a value is masked whole, so that not even its length is told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

MASK: Final = "***"
SECRET: Final = re.compile(
    r"pass(word|phrase|wd)|secret|token|api_?key|encryption_?key|private_?key|credential|authorization|card|cvv|\bpin\b",
    re.IGNORECASE,
)
URL: Final = re.compile(r"^([a-z][a-z0-9+.-]*://)([^/?#@]*@)?([^?#]*)(\?[^#]*)?(#.*)?$", re.IGNORECASE)


def masked(name: str, value: Any) -> Any:
    """Return *value* without what its name, or a name inside it, says is secret."""
    if SECRET.search(str(name)):
        return value if value is None else MASK
    if isinstance(value, Mapping):
        return {key: masked(key, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked("", item) for item in value]
    return value


def masked_url(text: str) -> str:
    """Return a URL without its password, and without the values of its query, some of which are secrets too."""
    found = URL.match(text)
    if found is None:
        return text
    scheme, entry, place, query, _ = found.groups()
    user, colon, _ = (entry or "").removesuffix("@").partition(":")
    entered = f"{user}{':' + MASK if colon else ''}@" if entry else ""
    return f"{scheme}{entered}{place}{'?' + MASK if query else ''}"
