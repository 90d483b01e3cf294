"""Our side of the HTTP and start-up benchmarks: the models of ``benchmarks.limits.fastapi_app``, served by Nexus.

Run from integration-tests: DATABASE_URL=... BENCH_MODELS=10 python -m benchmarks.ours_app PORT
"""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

from msgspec import Meta

from dataflow import DataFlow
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

app = Nexus(
    api_port=int(sys.argv[1]) if sys.argv[1:] and sys.argv[1].isdigit() else 8000,
    mcp_port=int(sys.argv[2]) if sys.argv[2:] else 3001,
    dataflow_integration=db,
)

if __name__ == "__main__":
    app.start()
