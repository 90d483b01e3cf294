"""Types of the front door, as a program sees them. Checked by mypy, not run."""

from __future__ import annotations

from typing import assert_type

from kailash.capability import Catalogue
from nexus import Nexus

app = Nexus(title="Shop", api_port=0)


@app.api_endpoint("/hello/{name}")
def hello(name: str) -> dict[str, str]:
    """An endpoint stays the function that it was."""
    return {"hello": name}


assert_type(hello("Ann"), dict[str, str])
assert_type(app.catalogue, Catalogue)
with app as entered:
    assert_type(entered, Nexus)
