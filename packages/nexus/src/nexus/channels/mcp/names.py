"""What a tool is called: one rule for names that every client accepts.

Rule 1: a listed name fits `PATTERN` and `LONGEST`, whatever a model or a workflow is called; it is the same
in every process.
Rule 2: a name that had to be changed carries a hash of the whole, so that two names never become one by accident.
Rule 3: the dotted spelling ("database.products.list") is a title and an alias, never a listed name: several clients
refuse a whole list for one dot.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from kailash.capability import Capability
from kailash.errors import ConfigurationError

# Claude Desktop takes ^[a-zA-Z0-9_-]{1,64}$, OpenAI no dots, and Cursor drops a tool whose name and server's name
# together pass 60 characters; 48 leaves 12 for the server's.
PATTERN: Final = re.compile(r"^[a-zA-Z][a-zA-Z0-9_-]*$")
LONGEST: Final = 48  # characters
LONGEST_PREFIX: Final = 20  # characters; arbitrary: leaves room for a resource, an action and a hash
_HASH: Final = 6  # hexadecimal digits: one chance in sixteen million for two changed names that begin alike


def check_prefix(prefix: str) -> str:
    """Return *prefix*, which may be empty.

    Raises: ConfigurationError when no client would accept names that begin with it.
    """
    if prefix and (not PATTERN.match(prefix) or len(prefix) > LONGEST_PREFIX):
        raise ConfigurationError(
            f"mcp_tool_prefix {prefix!r} cannot begin the name of a tool",
            hint=f"begin with a letter, then letters, digits, '_' and '-', at most {LONGEST_PREFIX} characters",
        )
    return prefix


def listed_name(capability: Capability, prefix: str) -> str:
    """Return the name that ``tools/list`` shows: ``database_products_list``; a workflow has its own name."""
    if not capability.resource:
        return _fit(capability.name, "")
    head = f"{prefix}_{capability.resource}" if prefix else capability.resource
    return _fit(head, f"_{capability.action}")


def dotted_name(capability: Capability, prefix: str) -> str:
    """Return the spelling with dots, ``database.products.list``: the title, and an alias on ``tools/call``."""
    return f"{prefix}.{capability.name}" if prefix and capability.resource else capability.name


def _fit(head: str, tail: str) -> str:
    """Return *head* and *tail* as one legal name; what must go is taken from the head, so that the action stays."""
    whole = head + tail
    if PATTERN.match(whole) and len(whole) <= LONGEST:
        return whole
    mark = "_" + hashlib.sha256(whole.encode()).hexdigest()[:_HASH]
    head, tail = _legal(head), re.sub(r"[^a-zA-Z0-9_-]+", "_", tail)[:16]
    return head[: LONGEST - len(mark) - len(tail)].rstrip("_-") + mark + tail


def _legal(text: str) -> str:
    cleaned = re.sub(r"[^a-zA-Z0-9_-]+", "_", text).strip("_-")
    return cleaned if PATTERN.match(cleaned) else f"tool_{cleaned}".rstrip("_")
