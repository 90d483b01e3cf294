"""Options as an application around a database hands them over: the keys of Nexus's ``dataflow_config`` that are ours.

Rule: what is not known is an error that names it, and so is what this version cannot do; nothing is ignored.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import asdict

from dataflow.options import Options, checked
from kailash.errors import ConfigurationError, did_you_mean

REDIS: Final = "redis://127.0.0.1:6379/0"  # where ``$REDIS_URL`` says nothing
POOL: Final = {"size": "pool_size", "overflow": "max_overflow", "recycle": "pool_recycle"}
CACHE: Final = {
    "url": "cache_url",
    "default_ttl": "cache_ttl",
    "cache_strategies": "cache_strategies",
    "invalidation_events": "invalidation_events",
    "preload_common_queries": "preload_common_queries",
}
MEASURED: Final = frozenset(
    {"query_time", "connection_pool", "cache_hit_rate", "track_all_queries", "slow_query_log", "performance_metrics",
     "error_tracking", "usage_analytics"}
)  # fmt: skip  # always measured where anything is


def changed(options: Options, settings: Mapping[str, Any]) -> Options:
    """Return *options* with what *settings* say. Raises: ConfigurationError, NotAvailableError."""
    given = asdict(options)
    for name, said in settings.items():
        if name not in READERS:
            raise ConfigurationError(f"a database has no settings {name!r}", hint=did_you_mean(name, READERS))
        if not isinstance(said, Mapping):
            raise ConfigurationError(f"{name} is a {type(said).__name__}", hint="give a dict")
        given |= READERS[name](said)
    return checked(given)


def _caching(said: Mapping[str, Any]) -> dict[str, Any]:
    _known("caching", said, (*CACHE, "enabled", "backend", "aggressive_caching"))
    found = {CACHE[name]: value for name, value in said.items() if name in CACHE}
    backend = said.get("backend", "memory")
    if backend not in ("memory", "redis"):
        raise ConfigurationError(f"there is no cache backend {backend!r}", hint='"memory" or "redis"')
    if backend == "redis":
        found.setdefault("cache_url", os.environ.get("REDIS_URL") or REDIS)
    return {"cache_enabled": bool(said.get("enabled", True)), **found}


def _pooling(said: Mapping[str, Any]) -> dict[str, Any]:
    _known("connection_pooling", said, (*POOL, "enabled"))
    return {POOL[name]: value for name, value in said.items() if name in POOL}


def _monitoring(said: Mapping[str, Any]) -> dict[str, Any]:
    _known("monitoring", said, (*MEASURED, "enabled", "database_metrics"))
    metrics: Any = said.get("database_metrics") or {}
    _known("database_metrics", metrics, (*MEASURED, "slow_queries"))
    slow: Any = metrics.get("slow_queries") or {}
    _known("slow_queries", slow, ("threshold",))
    found: dict[str, Any] = {"monitoring": bool(said.get("enabled", True))}
    if "threshold" in slow:
        found["slow_query_threshold"] = slow["threshold"] / 1000  # milliseconds in the seeds
    return found


def _known(where: str, said: Any, names: tuple[str, ...]) -> None:
    if not isinstance(said, Mapping):
        raise ConfigurationError(f"{where} is a {type(said).__name__}", hint="give a dict")
    if unknown := next((each for each in said if each not in names), None):
        raise ConfigurationError(f"{where} has no key {unknown!r}", hint=did_you_mean(str(unknown), names))


READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "caching": _caching,
    "connection_pooling": _pooling,
    "monitoring": _monitoring,
}
