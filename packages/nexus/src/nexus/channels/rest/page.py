"""The page at /docs: ours, whole in itself, so that it works without a network."""

from __future__ import annotations

from functools import cache
from html import escape
from pathlib import Path
from typing import Final

POLICY: Final = (
    b"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
    b"img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = (
    (b"content-type", b"text/html; charset=utf-8"),
    (b"content-security-policy", POLICY),
    (b"cache-control", b"no-cache"),
)


@cache
def render(title: str) -> bytes:
    """Return the page, UTF-8. It reads openapi.json beside it and lets one try each call."""
    template = Path(__file__).with_name("docs.html").read_text(encoding="utf-8")
    return template.replace("{{title}}", escape(title)).encode()
