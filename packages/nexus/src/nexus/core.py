"""The older address of `nexus.Nexus`: it warns and works."""

from __future__ import annotations

import warnings
from typing import Any

import nexus


def __getattr__(name: str) -> Any:
    if name != "Nexus":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn("nexus.core.Nexus is now nexus.Nexus", DeprecationWarning, stacklevel=2)
    return nexus.Nexus
