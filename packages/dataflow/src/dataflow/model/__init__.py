"""What a model is: its declaration, its names, its column types, its table."""

from __future__ import annotations

from kailash._lazy import exports

__getattr__, __dir__ = exports(
    __name__,
    {
        "FieldSpec": "dataflow.model.spec",
        "ForeignKey": "dataflow.model.spec",
        "IndexSpec": "dataflow.model.spec",
        "Model": "dataflow.model.registry",
        "ModelOptions": "dataflow.model.spec",
        "ModelSpec": "dataflow.model.spec",
        "Models": "dataflow.model.registry",
    },
)
