"""DataFlow: one annotated class becomes a table, its operations and their workflow nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataflow._version import __version__
from kailash._lazy import exports

if TYPE_CHECKING:
    from dataflow.database import DataFlow as DataFlow
    from dataflow.errors import DataFlowError as DataFlowError
    from dataflow.model.spec import Column as Column
    from dataflow.model.spec import Encrypted as Encrypted
    from dataflow.model.spec import ForeignKey as ForeignKey
    from dataflow.model.spec import Secret as Secret

__all__ = ["Column", "DataFlow", "DataFlowError", "Encrypted", "ForeignKey", "Secret", "__version__"]

__getattr__, __dir__ = exports(
    __name__,
    {
        "Column": "dataflow.model.spec",
        "DataFlow": "dataflow.database",
        "DataFlowError": "dataflow.errors",
        "Encrypted": "dataflow.model.spec",
        "ForeignKey": "dataflow.model.spec",
        "Secret": "dataflow.model.spec",
    },
)
