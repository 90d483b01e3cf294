"""What one run has produced so far: what references are resolved against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kailash.context import ANONYMOUS, Context


class State:
    """The values of one run.

    outputs: {node id: output} of the nodes that ran, in the order in which they finished; a skipped node is
    not in it. overrides: {node id: {input: value}} given for this run. failed: nodes that failed and were let
    pass. feedback: {cycle: {node id: output}} of the last turn of each cycle.
    """

    __slots__ = ("context", "failed", "feedback", "inputs", "outputs", "overrides")

    def __init__(
        self,
        inputs: Mapping[str, Any],
        context: Context = ANONYMOUS,
        overrides: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.inputs = inputs
        self.context = context
        self.overrides = overrides
        self.outputs: dict[str, Any] = {}
        self.failed: set[str] = set()
        self.feedback: dict[str, Mapping[str, Any]] = {}
