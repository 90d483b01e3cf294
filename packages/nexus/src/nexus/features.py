"""The modules of features that many programs leave off: imported when somebody asks for one, not at every start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kailash._lazy import Late

__all__ = ["agents", "discovery", "journals", "metrics", "provider", "shell", "sqlite_store", "starting"]

if TYPE_CHECKING:
    from kailash.runtime import sqlite_store
    from nexus import discovery, metrics
    from nexus.channels.mcp import server as agents
    from nexus.channels.rest import shell
    from nexus.workflows import journals, provider, starting
else:
    agents = Late("nexus.channels.mcp.server")
    discovery = Late("nexus.discovery")
    journals = Late("nexus.workflows.journals")
    metrics = Late("nexus.metrics")
    provider = Late("nexus.workflows.provider")  # the engine of workflows
    shell = Late("nexus.channels.rest.shell")  # Starlette and FastAPI
    sqlite_store = Late("kailash.runtime.sqlite_store")  # sqlite3
    starting = Late("nexus.workflows.starting")
