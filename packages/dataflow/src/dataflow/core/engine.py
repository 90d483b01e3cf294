"""The older address of `dataflow.DataFlow`: it warns and works."""

from __future__ import annotations

import warnings
from typing import Any


def __getattr__(name: str) -> Any:
    if name != "DataFlow":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dataflow import DataFlow  # only when somebody comes here

    warnings.warn("dataflow.core.engine.DataFlow is now dataflow.DataFlow", DeprecationWarning, stacklevel=2)
    return DataFlow
