"""An application asked over HTTP, without a server."""

from __future__ import annotations

import asyncio
from typing import Any, TypeAlias

import httpx

from dataflow import DataFlow
from nexus import Nexus

Request: TypeAlias = tuple[str, str, Any]  # method, path, body: bytes as they are, anything else as JSON


def visiting(app: Nexus, **headers: str) -> httpx.AsyncClient:
    """Return a client of *app*, for ``async with``."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app.asgi), base_url="http://test", headers=headers)


def asked(app: Nexus, db: DataFlow, *requests: Request, **headers: str) -> list[httpx.Response]:
    """Return the answers of *app*, whose database is *db*, on an event loop of their own."""

    async def ask() -> list[httpx.Response]:
        async with visiting(app, **headers) as client:
            answers = [
                await client.request(method, path, content=body)
                if isinstance(body, bytes)
                else await client.request(method, path, json=body)
                for method, path, body in requests
            ]
        await db.close_async()
        return answers

    return asyncio.run(ask())
