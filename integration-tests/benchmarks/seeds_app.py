"""The two configurations of seeds/003, as it writes them, with as many of its models as one asks for.

Run from integration-tests: DATABASE_URL=... BENCH_MODELS=10 SEEDS_CONFIGURATION=full
python -m benchmarks.seeds_app 8000 3001
With --taken it prints how many of the options this version takes, and how many there are: the others are left out.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final

from dataflow import DataFlow
from kailash.errors import KailashError
from nexus import Nexus
from nexus.channels.base import ASGI, Receive, Scope, Send

FULL: Final[Mapping[str, Any]] = {
    "skip_registry": False,
    "enable_model_persistence": True,
    "auto_migrate": True,
    "skip_migration": False,
    "enable_schema_discovery": True,
    "enable_caching": True,
    "enable_metrics": True,
    "connection_pool_size": 50,
    "enable_audit_log": True,
    "multi_tenant": True,
    "slow_query_threshold": 1.0,
}
FAST: Final[Mapping[str, Any]] = {
    "skip_registry": True,
    "enable_model_persistence": False,
    "auto_migrate": False,
    "skip_migration": True,
    "enable_caching": True,
    "enable_metrics": True,
    "connection_pool_size": 50,
}
FULL_NEXUS: Final[Mapping[str, Any]] = {
    "enable_monitoring": True,
    "enable_durability": True,
    "rate_limit": 100,
    "enable_http_transport": True,
    "enable_sse_transport": True,
    "enable_discovery": True,
}  # without enable_auth: the request that is measured brings no key
CONFIGURATIONS: Final = {"full": (FULL, FULL_NEXUS), "fast": (FAST, {})}


def offered(make: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of *options* that this version does not refuse."""
    kept = {}
    for name, value in options.items():
        try:
            make(**{name: value})
        except KailashError:
            continue
        kept[name] = value
    return kept


def fields(number: int) -> dict[str, Any]:
    """Return the fields of a model of the seeds; they come round again."""
    user: dict[str, Any] = {"id": str, "email": str, "full_name": str | None, "created_at": str | None, "active": bool}
    session: dict[str, Any] = {"id": str, "user_id": str, "token": str, "created_at": str, "expires_at": str}
    conversation: dict[str, Any] = {"id": str, "session_id": str, "user_id": str, "title": str | None}
    return [user, session, conversation][number % 3]


class ForOneTenant:
    """Acts for one tenant, as what authenticates a caller does."""

    def __init__(self, inner: ASGI, db: DataFlow) -> None:
        self._inner, self._db = inner, db

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._db.tenant("acme"):
            await self._inner(scope, receive, send)


def main(configuration: str, models: int, ports: list[int]) -> None:
    """Serve."""
    for_db, for_app = CONFIGURATIONS[configuration]
    db = DataFlow(os.environ["DATABASE_URL"], **offered(DataFlow, for_db))
    for number in range(models):
        db.model(type(f"Thing{number}", (), {"__annotations__": fields(number)}))
    app = Nexus(
        api_port=ports[0], mcp_port=ports[1], auto_discovery=False, dataflow_integration=db, **offered(Nexus, for_app)
    )
    app.add_middleware(ForOneTenant, db)
    app.start()


if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)  # the names are those of then
    chosen = os.environ.get("SEEDS_CONFIGURATION", "full")
    if "--taken" in sys.argv:
        data, web = CONFIGURATIONS[chosen]
        print(len(offered(DataFlow, data)) + len(offered(Nexus, web)), len(data) + len(web))
    else:
        main(chosen, int(os.environ.get("BENCH_MODELS", "1")), [int(word) for word in sys.argv[1:3]])
