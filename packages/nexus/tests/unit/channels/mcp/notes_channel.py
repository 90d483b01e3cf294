"""A channel over the notes provider, with the real pipeline; run as a program it serves standard input and output."""

from __future__ import annotations

from typing import Any

from kailash.capability import Provider
from nexus import exposure, options
from nexus.channels.mcp.server import McpChannel
from nexus.pipeline.authenticate import anonymous
from nexus.pipeline.gates import Gates
from nexus.pipeline.pipeline import Pipeline
from nexus.pipeline.validate import Validate
from nexus.testing import notes_provider


def notes_channel(*providers: Provider, **given: Any) -> McpChannel:
    """Return a channel over *providers*, or over one of notes. given: options of Nexus()."""
    wanted = options.read(given)
    shown = exposure.Exposure(exposure.rules(wanted))
    for provider in providers or (notes_provider(),):
        shown.add(provider)
    gates = Gates(authenticate=anonymous, validate=Validate({"mcp": wanted.max_records or 1000}))
    return McpChannel(shown.on("mcp"), Pipeline(shown.find, gates).answer, wanted)


if __name__ == "__main__":
    notes_channel(max_body=100_000).stdio()
