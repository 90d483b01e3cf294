"""What must not be shown is not."""

from __future__ import annotations

import pytest

from kailash.masking import masked, masked_url


def test_secrets_are_masked_at_any_depth() -> None:
    given = {"user": {"password": "x", "name": "y"}, "list": [{"api_key": 1}, 2]}

    assert masked("", given) == {"user": {"password": "***", "name": "y"}, "list": [{"api_key": "***"}, 2]}


def test_a_secret_that_is_not_set_is_seen_not_to_be() -> None:
    assert masked("encryption_key", None) is None
    assert masked("encryption_key", "") == "***"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://:s3cret@localhost:6379/0", "redis://:***@localhost:6379/0"),
        ("redis://ann:s3:cret@[::1]/0?password=s3cret#s3cret", "redis://ann:***@[::1]/0?***"),
        ("postgresql://ann@host/db", "postgresql://ann@host/db"),
        ("no url", "no url"),
    ],
)
def test_a_url_loses_its_password(url: str, shown: str) -> None:
    assert masked_url(url) == shown
