"""Who is asking, for whom, over which channel, and until when.

Rule: a context is passed explicitly, from the channel down to the executor; it is never a global.
"""

from __future__ import annotations

import msgspec


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """Facts about one request."""

    principal: str | None = None
    tenant: str | None = None
    roles: frozenset[str] = frozenset()
    request_id: str = ""
    channel: str = "python"  # "rest", "cli", "mcp", "ws"; "python" for a direct call
    deadline: float | None = None  # seconds on time.monotonic()


ANONYMOUS = Context()
