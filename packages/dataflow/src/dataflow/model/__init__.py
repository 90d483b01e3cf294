"""What a model is: its declaration, its names, its column types, its table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kailash._lazy import exports

if TYPE_CHECKING:
    from dataflow.model.registry import Model, Models
    from dataflow.model.spec import Column, FieldSpec, ForeignKey, IndexSpec, ModelOptions, ModelSpec

__all__ = ["Column", "FieldSpec", "ForeignKey", "IndexSpec", "Model", "ModelOptions", "ModelSpec", "Models"]

__getattr__, __dir__ = exports(
    __name__,
    {
        "Column": "dataflow.model.spec",
        "FieldSpec": "dataflow.model.spec",
        "ForeignKey": "dataflow.model.spec",
        "IndexSpec": "dataflow.model.spec",
        "Model": "dataflow.model.registry",
        "ModelOptions": "dataflow.model.spec",
        "ModelSpec": "dataflow.model.spec",
        "Models": "dataflow.model.registry",
    },
)
