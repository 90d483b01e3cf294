"""``dataflow rekey``: seal encrypted values with the newest key."""

from __future__ import annotations

import msgspec

from dataflow.cli.desk import Desk, command


@command()
def rekey(desk: Desk) -> None:
    """Seal encrypted values with the first key of encryption_key; interrupted, it goes on where it was."""
    steps = desk.database().rekey(lambda step: desk.say(f"{step.model}.{step.field}: {step.done} values"))
    desk.records([msgspec.structs.asdict(step) for step in steps], ("model", "field", "done", "failed"))
