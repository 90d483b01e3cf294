"""Our side of the HTTP and start-up benchmarks: the models of ``benchmarks.limits.fastapi_app``, served by Nexus.

Run from integration-tests: DATABASE_URL=... BENCH_MODELS=10 python -m benchmarks.ours_app PORT
"""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

from msgspec import Meta

from dataflow import DataFlow
from kailash.workflow.builder import WorkflowBuilder
from nexus import Nexus

db = DataFlow()
models = int(os.environ.get("BENCH_MODELS", "1"))


def declare(name: str, table: str) -> None:
    """Declare one model with the product's fields."""
    fields: dict[str, Any] = {
        "sku": Annotated[str, Meta(max_length=20)],
        "name": str,
        "category": str,
        "price": Annotated[float, Meta(ge=0)],
        "stock": int,
        "active": bool,
    }
    indexes = [{"fields": ["sku"], "unique": True}, {"fields": ["category", "id"]}]
    body = {"__annotations__": fields, "stock": 0, "active": True, "__tablename__": table, "__indexes__": indexes}
    db.model(type(name, (), body))


if models == 1:
    declare("Product", "products")
else:
    for number in range(models):
        declare(f"Thing{number}", f"thing{number}s")

ports = [int(word) for word in sys.argv[1:3]] if __name__ == "__main__" else [8000, 3001]
app = Nexus(
    api_port=ports[0],
    mcp_port=ports[1],
    dataflow_integration=db,
    enable_durability=bool(os.environ.get("BENCH_DURABLE", "1")),
)

if models == 1:
    for action, names in {"read": ("id",), "create": ("sku", "name", "category", "price", "stock", "active")}.items():
        workflow = WorkflowBuilder(action)
        workflow.add_node(f"Product{action.capitalize()}Node", "step", {name: f"{{{{{name}}}}}" for name in names})
        app.register(action, workflow)

if __name__ == "__main__":
    app.start()
