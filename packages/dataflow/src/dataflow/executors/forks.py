"""What a child process does with the connections of its parent."""

from __future__ import annotations

import os
import weakref
from typing import Any


def after_fork(database: Any) -> None:
    """Let a child process begin with no connection of its parent: neither use nor close what the parent still holds."""
    reference = weakref.ref(database)

    def forget() -> None:
        if (alive := reference()) is not None:
            alive.forked()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=forget)
