from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kailash.capability import Capability, Nature
from kailash.errors import ConfigurationError
from kailash.shapes import Shape
from nexus.channels.mcp import names


def capability(name: str, resource: str = "", action: str = "") -> Capability:
    def call(given: object, context: object) -> dict[str, object]:
        return {}

    async def acall(given: object, context: object) -> dict[str, object]:
        return {}

    return Capability(
        name=name,
        summary="Do it.",
        nature=Nature.WRITE,
        inputs=Shape("Nothing", []),  # type: ignore[arg-type]
        output=dict,
        call=call,
        acall=acall,
        resource=resource,
        action=action,
    )


def test_an_operation_of_a_model_is_named_by_prefix_resource_and_action() -> None:
    products = capability("products.list", "products", "list")

    assert names.listed_name(products, "database") == "database_products_list"
    assert names.dotted_name(products, "database") == "database.products.list"


def test_without_a_prefix_the_resource_comes_first() -> None:
    products = capability("products.list", "products", "list")

    assert names.listed_name(products, "") == "products_list"
    assert names.dotted_name(products, "") == "products.list"


def test_a_workflow_has_its_own_name() -> None:
    assert names.listed_name(capability("process_order"), "database") == "process_order"
    assert names.dotted_name(capability("process_order"), "database") == "process_order"


def test_a_long_name_keeps_its_action_and_is_the_same_in_every_process() -> None:
    wide = capability("x", "extremely_long_resource_names_that_nobody_would_type", "bulk_update")

    assert names.listed_name(wide, "database") == "database_extremely_long_resou_a88abe_bulk_update"


def test_two_long_names_that_begin_alike_stay_two() -> None:
    first, second = (capability("x", "a" * 60 + end, "list") for end in ("x", "y"))

    assert names.listed_name(first, "database") != names.listed_name(second, "database")


def test_names_that_differ_only_in_forbidden_characters_stay_two() -> None:
    assert names.listed_name(capability("a.b"), "") != names.listed_name(capability("a b"), "")


@given(st.text(), st.text(), st.sampled_from(["", "database", "x" * 20]))
def test_every_name_is_one_that_every_client_accepts(resource: str, action: str, prefix: str) -> None:
    for each in (capability("x", resource, action), capability(resource)):
        name = names.listed_name(each, prefix)

        assert names.PATTERN.match(name)
        assert len(name) <= 48


@pytest.mark.parametrize("prefix", ["my.db", "1st", "a b", "x" * 21, "día"])
def test_a_prefix_that_no_client_would_accept_is_refused(prefix: str) -> None:
    with pytest.raises(ConfigurationError, match="mcp_tool_prefix"):
        names.check_prefix(prefix)
