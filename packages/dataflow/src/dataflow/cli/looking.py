"""Commands that look and change nothing."""

from __future__ import annotations

from dataflow.cli.desk import Desk, command


@command()
def status(desk: Desk) -> None:
    """Tell which database this is, and whether it can be reached."""
    desk.record(desk.bare_database().health_check())
