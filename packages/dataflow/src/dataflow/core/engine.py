"""The older address of `dataflow.DataFlow`: it warns and works."""

from __future__ import annotations

import warnings
from typing import Any

import dataflow


def __getattr__(name: str) -> Any:
    if name != "DataFlow":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn("dataflow.core.engine.DataFlow is now dataflow.DataFlow", DeprecationWarning, stacklevel=2)
    return dataflow.DataFlow
