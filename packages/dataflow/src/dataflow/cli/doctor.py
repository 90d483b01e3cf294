"""``dataflow doctor``: whether versions fit together, the database can be reached, the schema is in order."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dataflow.cli import locate, output
from dataflow.cli.desk import Desk, command
from kailash.checkup import TRIO, Check, State, extras, healthy, versions
from kailash.errors import KailashError

COLUMNS: Final = ("check", "state", "said")
ILL: Final = 1  # exit code when something is wrong


@command()
def doctor(desk: Desk) -> int:
    """Look whether versions fit together, the database can be reached, the schema is in order, extras are there.

    Changes nothing. Ends with 1 when something is wrong.
    """
    checks = [*versions(), *(check for name in TRIO for check in extras(name))]
    configuration: Mapping[str, Any] = {}
    try:
        database = desk.bare_database()
    except locate.NoApplicationError as error:
        checks.append(Check("application", State.NOTE, error.message, error.hint))
    except KailashError as error:
        checks.append(Check("application", State.FAILED, error.message, error.hint))
    else:
        checks += database.checkup()
        configuration = database.configuration()
    _show(desk, checks, configuration)
    return 0 if healthy(checks) else ILL


def _show(desk: Desk, checks: Sequence[Check], configuration: Mapping[str, Any]) -> None:
    rows = [{"check": each.name, "state": each.state.value, "said": each.said, "hint": each.hint} for each in checks]
    if desk.form == "json":
        found = {"healthy": healthy(checks), "checks": rows, "configuration": configuration}
        output.record(sys.stdout, "json", found)
        return
    output.records(sys.stdout, "table", rows, COLUMNS)
    for each in checks:
        if each.hint:
            desk.say(f"{each.name}: {each.hint}")
    if configuration:
        sys.stdout.write("\n")
        output.record(sys.stdout, "table", configuration)
