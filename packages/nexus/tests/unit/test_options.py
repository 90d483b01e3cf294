"""The keywords of `Nexus`, and every key that the seeds write into ``dataflow_config``."""

from __future__ import annotations

from typing import Any

import pytest

from kailash.errors import ConfigurationError, NotAvailableError
from nexus import options
from nexus.options import Agents
from nexus.testing import notes_provider


def test_the_defaults_are_the_ones_of_the_seeds() -> None:
    made = options.read({})

    assert (made.api_port, made.mcp_port, made.host, made.api_prefix) == (8000, 3001, "127.0.0.1", "/api")
    assert (made.enable_api, made.enable_cli, made.enable_mcp, made.enable_durability) == (True, True, True, True)


def test_the_type_checker_sees_every_keyword() -> None:
    known = {*options.KEYWORDS, *options.NOT_YET, *options.HARMLESS, "dataflow_integration", "dataflow_config"}

    assert options.Keywords.__annotations__.keys() == known


def test_an_unknown_keyword_is_a_type_error_with_the_closest_name() -> None:
    with pytest.raises(TypeError, match="did you mean 'api_port'"):
        options.read({"api_prot": 1})


def test_an_unknown_key_of_dataflow_config_is_an_error_with_the_closest_name() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'api_prefix'"):
        options.read({"dataflow_config": {"api_prefx": "/x"}})


@pytest.mark.parametrize(
    "asked",
    [
        {"enable_auth": True},
        {"auth_config": {"providers": ["oauth2"]}},
        {"rate_limit": 100},
        {"enable_sse_transport": True},
        {"monitoring_config": {"prometheus_enabled": True}},
        {"channels_synced": True},
    ],
    ids=lambda asked: next(iter(asked)),
)
def test_asking_for_what_comes_later_is_an_error_that_names_it(asked: dict[str, Any]) -> None:
    with pytest.raises(NotAvailableError, match=next(iter(asked))):
        options.read(asked)


@pytest.mark.parametrize(
    "asked",
    [
        {"expose_analytics": True},
        {"expose_transactions": True},
        {"require_authentication": True},
        {"authentication_required": True},
        {"rate_limiting": {"default": 1000, "bulk_operations": 100}},
        {"websocket_enabled": True},
        {"change_notifications": True},
        {"enable_interactive_mode": True},
        {"enable_query_builder": True},
        {"enable_data_import": True},
        {"enable_data_export": True},
        {"require_confirmation": ["delete", "bulk_delete"]},
        {"audit_agent_actions": True},
        {"audit_all_operations": True},
        {"websocket_config": {"enabled": True, "heartbeat_interval": 30}},
        {"multi_tenant": {"enabled": True, "tenant_identification": "header"}},
        {"monitoring": {"enabled": True, "alerts": {"slow_response": {"threshold": 1000, "window": 60}}}},
        {"security": {"require_authentication": True, "sql_injection_protection": True}},
        {"security": {"rate_limiting": {"enabled": True}}},
    ],
    ids=lambda asked: next(iter(asked)),
)
def test_a_key_of_dataflow_config_whose_feature_comes_later_says_so(asked: dict[str, Any]) -> None:
    with pytest.raises(NotAvailableError):
        options.read({"dataflow_config": asked})


def test_refusing_a_feature_is_fine() -> None:
    options.read(
        {
            "auto_discovery": False,
            "enable_auth": False,
            "enable_monitoring": False,
            "enable_durability": True,
            "enable_sse_transport": False,
            "enable_http_transport": True,
            "enable_discovery": True,
            "rate_limit": None,
            "auth_config": {},
            "dataflow_config": {
                "websocket_enabled": False,
                "require_confirmation": [],
                "caching": {"enabled": False, "backend": "redis"},
                "multi_tenant": {"enabled": False, "tenant_isolation": "strict"},
                "security": {"sql_injection_protection": True, "audit_all_operations": False},
                "async_operations": True,
            },
        }
    )


def test_what_is_always_on_cannot_be_switched_off() -> None:
    with pytest.raises(ConfigurationError, match="always on"):
        options.read({"dataflow_config": {"async_operations": False}})


def test_the_keys_of_this_version_have_their_effect() -> None:
    provider = notes_provider()

    made = options.read(
        {
            "dataflow_config": {
                "integration": provider,
                "auto_generate_endpoints": False,
                "auto_generate_cli_commands": False,
                "auto_generate_mcp_tools": False,
                "api_prefix": "api/v1/",
                "expose_bulk_operations": False,
                "cli_command_prefix": "shop",
                "enable_output_formats": ["json", "csv"],
                "mcp_tool_prefix": "db",
                "max_records_per_operation": 1000,
                "expose_to_agents": {"read_operations": True, "write_operations": False, "bulk_operations": False},
            }
        }
    )

    assert made.integration is provider
    assert (made.generate_endpoints, made.generate_commands, made.generate_tools) == (False, False, False)
    assert (made.api_prefix, made.expose_bulk, made.cli_command_prefix) == ("/api/v1", False, "shop")
    assert (made.output_formats, made.mcp_tool_prefix, made.max_records) == (("json", "csv"), "db", 1000)
    assert made.agents == Agents(read=True, write=False, bulk=False)


@pytest.mark.parametrize(
    "wrong",
    [
        {"api_port": "8000"},
        {"api_port": 70_000},
        {"enable_api": "yes"},
        {"cors_origins": [1]},
        {"dataflow_integration": object()},
        {"dataflow_config": ["integration"]},
        {"dataflow_config": {"enable_output_formats": ["xml"]}},
        {"dataflow_config": {"expose_to_agents": {"read_operation": True}}},
        {"dataflow_config": {"max_records_per_operation": -1}},
        {"dataflow_config": {"mcp_tool_prefix": "my.tools"}},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_value_that_makes_no_sense_is_a_configuration_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        options.read(wrong)


def test_one_database_may_be_named_twice_and_two_may_not() -> None:
    one, other = notes_provider(), notes_provider()

    assert options.read({"dataflow_integration": one, "dataflow_config": {"integration": one}}).integration is one
    with pytest.raises(ConfigurationError, match="two databases"):
        options.read({"dataflow_integration": one, "dataflow_config": {"integration": other}})


def test_one_origin_may_be_given_as_text() -> None:
    assert options.read({"cors_origins": "https://a.example"}).cors_origins == ("https://a.example",)
