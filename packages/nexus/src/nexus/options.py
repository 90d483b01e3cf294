"""The options of `Nexus`, and what this version makes of each key of ``dataflow_config``.

Rule 1: an unknown keyword is a TypeError, an unknown key of ``dataflow_config`` a ConfigurationError; both name
the closest one. Nothing is ignored in silence.
Rule 2: asking for a feature that is not there is a NotAvailableError; refusing it (``False``, ``None``, an empty
list, ``{"enabled": False}``) is not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypedDict

import msgspec

from kailash.capability import Provider
from kailash.errors import ConfigurationError, NotAvailableError, did_you_mean

MEBIBYTE: Final = 1_048_576
PREFIX: Final = re.compile(r"([A-Za-z][A-Za-z0-9_-]*)?")  # what the strictest clients accept; empty: no prefix
FORMATS: Final = ("table", "json", "csv", "ndjson")


class Agents(msgspec.Struct, frozen=True, kw_only=True):
    """Which natures of capability agents see (`expose_to_agents`)."""

    read: bool = True
    write: bool = True
    bulk: bool = True
    analytics: bool = True  # aggregates


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a `Nexus` was asked to be. Durations in seconds, sizes in bytes."""

    title: str = "Nexus"
    description: str = ""
    version: str = "1.0.0"  # of the application; OpenAPI shows it
    host: str = "127.0.0.1"
    api_port: int = 8000  # 0: any free port
    mcp_port: int | None = 3001  # None: agents are served on the API port only
    enable_api: bool = True
    enable_cli: bool = True
    enable_mcp: bool = True
    enable_http_transport: bool = True  # False: agents come over stdio only
    enable_durability: bool = True
    auto_discovery: bool = False  # offer the workflows of the modules in the working directory
    cors_origins: tuple[str, ...] = ()
    max_body: int = 10 * MEBIBYTE
    ready_timeout: float = 30.0  # longest time that a call waits for the schema
    integration: Any = None  # the provider that came as dataflow_integration
    # from dataflow_config
    api_prefix: str = "/api"
    generate_endpoints: bool = True
    generate_commands: bool = True
    generate_tools: bool = True
    expose_bulk: bool = True
    expose_aggregations: bool = True
    cli_command_prefix: str = ""
    output_formats: tuple[str, ...] = FORMATS
    mcp_tool_prefix: str = "database"
    mcp_tool_budget: int = 100  # listed tools; above it agents search, describe and execute
    allowed_hosts: tuple[str, ...] = ()  # names besides loopback under which agents may call us (DNS rebinding)
    agents: Agents = Agents()
    max_records: int | None = None  # most records of one call by an agent
    enable_monitoring: bool = False  # count calls, and answer with what was measured
    metrics_endpoint: str = "/metrics"  # where
    handed: Mapping[str, Any] = {}  # what the database is to make of itself: `HANDED`


class Keywords(TypedDict, total=False):
    """The keywords of `nexus.Nexus`, as a type checker sees them."""

    title: str
    description: str
    version: str
    host: str
    api_port: int
    mcp_port: int | None
    enable_api: bool
    enable_cli: bool
    enable_mcp: bool
    enable_http_transport: bool
    enable_durability: bool
    cors_origins: str | Sequence[str] | None
    max_body: int
    ready_timeout: float
    api_prefix: str
    mcp_tool_budget: int
    allowed_hosts: Sequence[str]
    dataflow_integration: Provider | None
    dataflow_config: Mapping[str, Any] | None
    auto_discovery: bool
    channels_synced: bool
    enable_auth: bool
    auth_config: Mapping[str, Any] | None
    enable_monitoring: bool
    monitoring_config: Mapping[str, Any] | None
    rate_limit: Any
    enable_sse_transport: bool
    enable_discovery: bool


KEYWORDS: Final = frozenset(Options.__struct_fields__) - {
    "integration",
    "generate_endpoints",
    "generate_commands",
    "generate_tools",
    "expose_bulk",
    "expose_aggregations",
    "cli_command_prefix",
    "output_formats",
    "mcp_tool_prefix",
    "agents",
    "max_records",
    "metrics_endpoint",
    "handed",
}
NOT_YET: Final[Mapping[str, str]] = {
    "channels_synced": "",
    "enable_auth": "put an authenticating proxy in front, or keep host on loopback",
    "auth_config": "put an authenticating proxy in front, or keep host on loopback",
    "monitoring_config": "enable_monitoring=True answers at /metrics; spans are made where the program sets a tracer",
    "rate_limit": "let a proxy in front limit calls",
    "enable_sse_transport": "agents are served over streamable HTTP at /mcp, and over stdio",
}
HARMLESS: Final = frozenset({"enable_discovery"})  # MCP's own server/discover is always answered

CONFIG: Final[Mapping[str, str]] = {  # key of dataflow_config -> field of Options
    "integration": "integration",
    "api_prefix": "api_prefix",
    "auto_generate_endpoints": "generate_endpoints",
    "auto_generate_cli_commands": "generate_commands",
    "auto_generate_mcp_tools": "generate_tools",
    "expose_bulk_operations": "expose_bulk",
    "expose_aggregations": "expose_aggregations",
    "cli_command_prefix": "cli_command_prefix",
    "enable_output_formats": "output_formats",
    "mcp_tool_prefix": "mcp_tool_prefix",
    "max_records_per_operation": "max_records",
}
CONFIG_NOT_YET: Final[Mapping[str, str]] = {
    "expose_analytics": "",
    "expose_transactions": "",
    "require_authentication": NOT_YET["enable_auth"],
    "authentication_required": NOT_YET["enable_auth"],
    "rate_limiting": NOT_YET["rate_limit"],
    "websocket_enabled": "",
    "websocket_config": "",
    "change_notifications": "",
    "enable_interactive_mode": "",
    "enable_query_builder": "",
    "enable_data_import": "`nexus <plural> bulk-create --file` reads JSON, CSV and NDJSON",
    "enable_data_export": "`nexus <plural> list --all --output csv` writes everything",
    "require_confirmation": 'expose_to_agents={"write_operations": False} keeps agents from changing anything',
    "audit_agent_actions": "",
    "audit_all_operations": "",
    "multi_tenant": "",
    "encrypt_sensitive_fields": "",
}
HANDED: Final = frozenset({"caching", "connection_pooling", "monitoring"})  # to the database's own `configure`
OURS: Final = frozenset({"metrics_endpoint", "api_metrics", "alerts"})  # of monitoring
ALWAYS: Final = frozenset({"async_operations", "sql_injection_protection"})
NESTED: Final = frozenset({"security", "expose_to_agents"})
AGENT_KEYS: Final = {
    "read_operations": "read",
    "write_operations": "write",
    "bulk_operations": "bulk",
    "analytics": "analytics",
}


def read(given: Mapping[str, Any]) -> Options:
    """Return the options that the keywords of `Nexus` spell.

    Raises: TypeError for an unknown keyword; ConfigurationError for a value or a key that makes no sense;
    NotAvailableError for a feature that this version does not have.
    """
    known = KEYWORDS | NOT_YET.keys() | HARMLESS | {"dataflow_integration", "dataflow_config"}
    for name in given:
        if name not in known:
            raise TypeError(f"Nexus() has no option {name!r}; {did_you_mean(name, known)}")
    _refuse_asked(given, NOT_YET)
    values = {name: value for name, value in given.items() if name in KEYWORDS and value is not None}
    if "mcp_port" in given:
        values["mcp_port"] = given["mcp_port"]
    values.update(_from_config(given.get("dataflow_config") or {}))
    integration = given.get("dataflow_integration")
    if integration is not None:
        if values.get("integration") not in {None, integration}:
            raise ConfigurationError("dataflow_integration and dataflow_config['integration'] are two databases")
        values["integration"] = integration
    return _checked(values)


def asks(value: Any) -> bool:
    """Whether *value*, given for a feature, asks for it."""
    if isinstance(value, Mapping):
        rest = [each for key, each in value.items() if key != "enabled"]
        return bool(value.get("enabled", any(asks(each) for each in rest)))
    return bool(value)


def _refuse_asked(given: Mapping[str, Any], absent: Mapping[str, str], where: str = "") -> None:
    for name, value in given.items():
        if name in absent and asks(value):
            raise NotAvailableError(f"{where}{name} is not available in this version", hint=absent[name])


def _from_config(config: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(config, Mapping):
        raise ConfigurationError(f"dataflow_config is a {type(config).__name__}", hint="give a dict")
    where = "dataflow_config: "
    known = CONFIG.keys() | CONFIG_NOT_YET.keys() | ALWAYS | NESTED | HANDED
    for key in config:
        if key not in known:
            raise ConfigurationError(f"dataflow_config has no key {key!r}", hint=did_you_mean(key, known))
    _refuse_asked(config, CONFIG_NOT_YET, where)
    _refuse_never(config, where)
    _security(config.get("security") or {})
    values = {CONFIG[key]: value for key, value in config.items() if key in CONFIG and value is not None}
    if (agents := config.get("expose_to_agents")) is not None:
        values["agents"] = _agents(agents)
    return values | _handed(config)


def _handed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what goes to the database, and what its monitoring means for us."""
    handed = {name: config[name] for name in sorted(HANDED & config.keys()) if asks(config[name])}
    monitoring = handed.get("monitoring")
    if not isinstance(monitoring, Mapping):
        return {"handed": handed} if handed else {}
    _refuse_asked(monitoring, {"alerts": "let Prometheus raise them"}, "dataflow_config['monitoring']: ")
    handed["monitoring"] = {name: each for name, each in monitoring.items() if name not in OURS}
    endpoint = monitoring.get("metrics_endpoint", "/metrics")
    return {"handed": handed, "enable_monitoring": True, "metrics_endpoint": endpoint}


def _refuse_never(config: Mapping[str, Any], where: str) -> None:
    for name in ALWAYS & config.keys():
        if not config[name]:
            raise ConfigurationError(f"{where}{name} is always on", hint="leave it out")


def _security(security: Mapping[str, Any]) -> None:
    known = {
        "require_authentication",
        "encrypt_sensitive_fields",
        "audit_all_operations",
        "rate_limiting",
        "sql_injection_protection",
    }
    where = "dataflow_config['security']: "
    for key in security:
        if key not in known:
            raise ConfigurationError(f"{where}no key is named {key!r}", hint=did_you_mean(key, known))
    _refuse_asked(security, CONFIG_NOT_YET, where)
    _refuse_never(security, where)


def _agents(given: Mapping[str, Any]) -> Agents:
    known = AGENT_KEYS.keys()
    where = "dataflow_config['expose_to_agents']: "
    for key, value in given.items():
        if key not in known:
            raise ConfigurationError(f"{where}no key is named {key!r}", hint=did_you_mean(key, known))
        if not isinstance(value, bool):
            raise ConfigurationError(f"{where}{key} is {value!r}", hint="give True or False")
    return Agents(**{AGENT_KEYS[key]: value for key, value in given.items()})


def _checked(values: dict[str, Any]) -> Options:
    if isinstance(values.get("cors_origins"), str):
        values["cors_origins"] = (values["cors_origins"],)
    if "api_prefix" in values:
        values["api_prefix"] = "/" + str(values["api_prefix"]).strip("/") if values["api_prefix"] else ""
    integration, agents = values.pop("integration", None), values.pop("agents", Agents())
    try:
        options = msgspec.convert(values, Options)
    except msgspec.ValidationError as fault:
        raise ConfigurationError(f"an option of Nexus() has the wrong type: {fault}") from None
    _bounded(options)
    if integration is not None and not callable(getattr(integration, "capabilities", None)):
        raise ConfigurationError(f"the integration is a {type(integration).__name__}", hint="give a DataFlow")
    return msgspec.structs.replace(options, integration=integration, agents=agents)


def _bounded(options: Options) -> None:
    for name in ("api_port", "mcp_port"):
        port = getattr(options, name)
        if port is not None and not 0 <= port <= 65_535:
            raise ConfigurationError(f"{name} is {port}", hint="a port is 0 (any free one) to 65535")
    for name in options.output_formats:
        if name not in FORMATS:
            raise ConfigurationError(f"no output format is named {name!r}", hint=did_you_mean(name, FORMATS))
    if not PREFIX.fullmatch(options.mcp_tool_prefix):
        raise ConfigurationError(
            f"mcp_tool_prefix {options.mcp_tool_prefix!r} cannot begin the name of a tool",
            hint="give a letter, then letters, digits, _ and -",
        )
    if options.max_body <= 0 or options.ready_timeout < 0 or (options.max_records or 1) <= 0:
        raise ConfigurationError("max_body, ready_timeout and max_records_per_operation must be positive")
