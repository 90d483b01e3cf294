"""The API by hand: FastAPI, pydantic models, one asyncpg pool. ``LIMIT_MODELS`` copies of the product model.

Run from integration-tests: LIMIT_DSN=postgresql://... python -m benchmarks.limits.fastapi_app PORT
FastAPI reads the annotations, some of which are local names: they must not become text.
"""

import datetime as dt
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import asyncpg
import uvicorn
from fastapi import Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel, Field


class ProductIn(BaseModel):
    sku: Annotated[str, Field(max_length=20)]
    name: str
    category: str
    price: Annotated[float, Field(ge=0)]
    stock: int = 0
    active: bool = True


class ProductChange(BaseModel):
    sku: Annotated[str, Field(max_length=20)] | None = None
    name: str | None = None
    category: str | None = None
    price: Annotated[float, Field(ge=0)] | None = None
    stock: int | None = None
    active: bool | None = None


class ProductOut(ProductIn):
    id: int
    created_at: dt.datetime
    updated_at: dt.datetime


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["LIMIT_DSN"]) as pool:
        app.state.pool = pool
        yield


def pool_of(request: Request) -> Any:
    return request.app.state.pool


Pool = Annotated[Any, Depends(pool_of)]
app = FastAPI(lifespan=lifespan)


def serve(table: str) -> None:
    """Add the routes of one model."""
    given = type(f"In_{table}", (ProductIn,), {})
    change = type(f"Change_{table}", (ProductChange,), {})
    out = type(f"Out_{table}", (ProductOut,), {})
    create_sql = (
        f"INSERT INTO {table} (sku, name, category, price, stock, active, created_at, updated_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $7) RETURNING *"
    )

    @app.get(f"/api/{table}/{{id}}", response_model=out)
    async def get(id: int, pool: Pool) -> Any:
        row = await pool.fetchrow(f"SELECT * FROM {table} WHERE id = $1", id)
        if row is None:
            raise HTTPException(404)
        return dict(row)

    @app.get(f"/api/{table}", response_model=list[out])  # type: ignore[valid-type]
    async def list_(pool: Pool, category: str | None = None, limit: int = 20, offset: int = 0) -> Any:
        rows = await pool.fetch(
            f"SELECT * FROM {table} WHERE $1::text IS NULL OR category = $1 ORDER BY id LIMIT $2 OFFSET $3",
            category, limit, offset,
        )  # fmt: skip
        return [dict(row) for row in rows]

    @app.post(f"/api/{table}", response_model=out, status_code=201)
    async def create(product: given, pool: Pool) -> Any:  # type: ignore[valid-type]
        now = dt.datetime.now(dt.UTC)
        return dict(await pool.fetchrow(create_sql, *product.model_dump().values(), now))  # type: ignore[attr-defined]

    @app.patch(f"/api/{table}/{{id}}", response_model=out)
    @app.put(f"/api/{table}/{{id}}", response_model=out)
    async def update(id: int, product: change, pool: Pool) -> Any:  # type: ignore[valid-type]
        values = product.model_dump(exclude_unset=True)  # type: ignore[attr-defined]
        names = ", ".join(f"{name} = ${at}" for at, name in enumerate(values, 3))
        row = await pool.fetchrow(
            f"UPDATE {table} SET updated_at = $2, {names} WHERE id = $1 RETURNING *",
            id, dt.datetime.now(dt.UTC), *values.values(),
        )  # fmt: skip
        if row is None:
            raise HTTPException(404)
        return dict(row)

    @app.delete(f"/api/{table}/{{id}}", status_code=204)
    async def delete(id: int, pool: Pool) -> None:
        if await pool.fetchrow(f"DELETE FROM {table} WHERE id = $1 RETURNING id", id) is None:
            raise HTTPException(404)

    @app.post(f"/api/{table}/bulk", status_code=201)
    async def bulk(products: list[given], pool: Pool) -> int:  # type: ignore[valid-type]
        now = dt.datetime.now(dt.UTC)
        records = [(*product.model_dump().values(), now, now) for product in products]  # type: ignore[attr-defined]
        columns = [*ProductIn.model_fields, "created_at", "updated_at"]
        async with pool.acquire() as connection:
            await connection.copy_records_to_table(table, records=records, columns=columns)
        return len(records)


models = int(os.environ.get("LIMIT_MODELS", "1"))
for number in range(models):
    serve("products" if models == 1 else f"thing{number}s")

if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", log_level="warning", access_log=False)
