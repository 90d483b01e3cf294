"""The options of `DataFlow`, and their older names.

Rule 1: an unknown keyword is a TypeError that names the closest one; nothing is ignored in silence.
Rule 2: an older name works, with one DeprecationWarning that gives the new spelling.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

import msgspec

from kailash.errors import ConfigurationError, did_you_mean

DEFAULT_URL: Final = "sqlite:///dataflow.db"
Mode: TypeAlias = Literal["rollback", "template"]  # how a test is isolated; True is "rollback"
TRIGGERS: Final = "database_triggers"
POLLING: Final = "polling"
METHODS: Final = (None, "outbox", TRIGGERS, POLLING)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a `DataFlow` was asked to be. Durations in seconds."""

    database_url: str = DEFAULT_URL
    auto_migrate: bool | Literal["plan"] = True  # make the tables before the first operation; "plan": only log it
    migration_enabled: bool = True  # False: never emit DDL, as auto_migrate=False
    migration_lock_timeout: float = 30.0
    application: str | None = None  # what the history of the schema calls this program; None: where its models are
    existing_schema_mode: bool = False  # the tables are somebody else's: never emit DDL
    pool_size: int | None = None  # connections kept; None: from the number of processors
    max_overflow: int | None = None  # connections beyond it under load, closed after use
    pool_recycle: float | None = None  # age at which a connection is replaced; None: never
    echo: bool = False  # log every statement, without its values
    debug: bool = False  # log every operation with its duration
    monitoring: bool = False
    slow_query_threshold: float | None = None
    cache_enabled: bool = False
    cache_ttl: float | None = None
    cache_url: str | None = None  # of a Redis server; None: answers are kept in memory
    cache_strategies: Mapping[str, Any] = {}  # for how long which answers are kept
    invalidation_events: Mapping[str, Any] = {}  # what else a write makes old
    preload_common_queries: bool = False  # ask for first pages and counts of cached models before anybody does
    audit_logging: bool = False
    multi_tenant: bool = False
    row_level_security: bool = False  # PostgreSQL keeps tenants apart as well
    encryption_key: str | tuple[str, ...] | None = None  # of 32 bytes; several: the first encrypts, all decrypt
    change_detection_method: str | None = (
        None  # "outbox": all models are in the feed; TRIGGERS, POLLING: by whoever writes
    )
    feed_retention: float | None = None  # seconds that changes are kept which nobody audits
    tdd_mode: bool | Mode = False  # under pytest, what a test writes is undone after it (`dataflow.pytest_plugin`)
    test_mode: bool | Mode = False  # the same


class Renamed(msgspec.Struct, frozen=True):
    """An older keyword: its name now, the new spelling as a reader writes it, and whether its value is the opposite."""

    now: str
    spelling: str
    inverted: bool = False


RENAMED: Final[Mapping[str, Renamed]] = {
    "connection_pool_size": Renamed("pool_size", "pool_size"),
    "enable_metrics": Renamed("monitoring", "monitoring"),
    "enable_audit_log": Renamed("audit_logging", "audit_logging"),
    "enable_caching": Renamed("cache_enabled", "cache_enabled"),
    "skip_migration": Renamed("migration_enabled", "migration_enabled=False (or auto_migrate=False)", inverted=True),
}

NEEDLESS: Final[Mapping[str, str]] = {
    "skip_registry": "the model registry no longer costs start-up time and is always on",
    "enable_model_persistence": "the model registry no longer costs start-up time and is always on",
    "enable_schema_discovery": "for tables that exist already use existing_schema_mode=True",
}


def read(database_url: str | None, keywords: Mapping[str, Any]) -> Options:
    """Return the options that these constructor arguments ask for.

    Raises: TypeError for an unknown keyword; ConfigurationError for a value of the wrong type or range.
    """
    given: dict[str, Any] = {"database_url": database_url or os.environ.get("DATABASE_URL") or DEFAULT_URL}
    for name, value in keywords.items():
        if name in RENAMED:
            renamed = RENAMED[name]
            _warn(f"{name} is now {renamed.spelling}")
            _take(given, renamed.now, not value if renamed.inverted else value, name)
        elif name in NEEDLESS:
            _warn(f"{name} is no longer needed and changes nothing: {NEEDLESS[name]}")
        elif name in Options.__struct_fields__:
            _take(given, name, value, name)
        else:
            known = {*Options.__struct_fields__, *RENAMED}
            raise TypeError(f"DataFlow() has no option {name!r}; {did_you_mean(name, known)}")
    return checked(given)


def _take(given: dict[str, Any], name: str, value: Any, spelled: str) -> None:
    if name in given and name != "database_url" and given[name] != value:
        raise TypeError(f"DataFlow() got {spelled!r}, which is {name!r}, twice, with two values")
    given[name] = value


def checked(given: Mapping[str, Any]) -> Options:
    """Return the options of these values. Raises: ConfigurationError."""
    try:
        options = msgspec.convert(given, Options)
    except msgspec.ValidationError as fault:
        raise ConfigurationError(f"a DataFlow option has a wrong value: {fault}") from None
    for name in (
        "slow_query_threshold",
        "cache_ttl",
        "pool_size",
        "migration_lock_timeout",
        "pool_recycle",
        "feed_retention",
    ):
        value = getattr(options, name)
        if value is not None and value <= 0:
            raise ConfigurationError(f"{name} must be greater than 0")
    if options.change_detection_method not in METHODS:
        raise ConfigurationError(f"change_detection_method is one of {', '.join(filter(None, METHODS))}")
    sqlite = options.database_url.startswith("sqlite")
    if options.change_detection_method == POLLING and options.row_level_security:
        raise ConfigurationError(
            "change_detection_method='polling' with row_level_security=True: a look would see no tenant's records",
            hint=f"PostgreSQL's triggers tell of SQL of others as well: take 'outbox' or '{TRIGGERS}'",
        )
    if options.row_level_security and sqlite:
        raise ConfigurationError(
            "row_level_security=True, and SQLite has no row level security",
            hint="leave it out: tenants are kept apart all the same, by dataflow alone",
        )
    if options.max_overflow is not None and options.max_overflow < 0:
        raise ConfigurationError("max_overflow must not be negative")
    return options


def _warn(message: str) -> None:
    """Warn at the line that called `DataFlow`: read <- DataFlow.__init__ <- the caller."""
    warnings.warn(message, DeprecationWarning, stacklevel=4)
