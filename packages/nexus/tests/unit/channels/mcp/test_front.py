"""Who may knock, and what is answered before the SDK hears of it."""

from __future__ import annotations

import pytest

from kailash.errors import KailashError
from nexus import options
from nexus.channels.mcp import front
from nexus.options import Options


def verdict(headers: dict[str, str], **given: object) -> int:
    """Return the HTTP status with which *headers* are refused; 200 when they are not."""
    try:
        front.guard(headers, options.read(given) if given else Options())
    except front.MisdirectedError:
        return 421
    except KailashError:
        return 403
    return 200


@pytest.mark.parametrize(
    "host",
    [
        "localhost:8000",
        "localhost",
        "127.0.0.1:3001",
        "[::1]:8000",
        "LocalHost:80",
        "shop.localhost:8000",
        "192.0.2.7:80",
    ],
)
def test_loopback_names_and_addresses_are_ours(host: str) -> None:
    assert verdict({"host": host}) == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:8000", "localhost.evil.example", "", "[evil]"]
)
def test_a_name_that_is_not_ours_is_misdirected(host: str) -> None:
    assert verdict({"host": host}) == 421


def test_a_listed_name_is_ours_on_every_port_or_on_its_own() -> None:
    assert verdict({"host": "api.example.com"}, allowed_hosts=("api.example.com",)) == 200
    assert verdict({"host": "API.example.com:8443"}, allowed_hosts=("api.example.com",)) == 200
    assert verdict({"host": "api.example.com:8443"}, allowed_hosts=("api.example.com:8443",)) == 200
    assert verdict({"host": "api.example.com:9000"}, allowed_hosts=("api.example.com:8443",)) == 421
    assert verdict({"host": "anything.example"}, allowed_hosts=("*",)) == 200


def test_the_name_that_was_bound_is_ours() -> None:
    assert verdict({"host": "shop.internal:8000"}, host="shop.internal") == 200


@pytest.mark.parametrize("origin", ["http://localhost:6274", "http://127.0.0.1:8000", "https://[::1]"])
def test_a_page_of_this_machine_may_call_this_machine(origin: str) -> None:
    assert verdict({"host": "localhost:8000", "origin": origin}) == 200


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://127.0.0.1.evil.example",
        "http://[broken",
        "http://localhost:80@evil.example",
        "",
    ],
)
def test_a_foreign_page_may_not_call(origin: str) -> None:
    assert verdict({"host": "localhost:8000", "origin": origin}) == 403


def test_a_page_of_this_machine_may_not_call_a_real_host() -> None:
    headers = {"host": "api.example.com", "origin": "http://localhost:3000"}

    assert verdict(headers, allowed_hosts=("api.example.com",)) == 403


def test_the_same_origin_and_listed_origins_may_call() -> None:
    hosts = ("api.example.com",)
    page = {"host": "api.example.com", "origin": "https://app.example.com"}

    assert verdict({**page, "origin": "https://api.example.com"}, allowed_hosts=hosts) == 200
    assert verdict(page, allowed_hosts=hosts) == 403
    assert verdict(page, allowed_hosts=hosts, cors_origins=("https://app.example.com",)) == 200
    assert verdict(page, allowed_hosts=hosts, cors_origins=("*",)) == 200
