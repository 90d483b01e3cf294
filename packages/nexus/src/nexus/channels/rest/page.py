"""The page at /docs: ours, whole in itself, so that it works without a network."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kailash._lazy import Late

if TYPE_CHECKING:
    import html
else:  # the names of all its characters, 0.7 MB that a server without readers of the page need not hold
    html = Late("html")

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
    return template.replace("{{title}}", html.escape(title)).encode()
