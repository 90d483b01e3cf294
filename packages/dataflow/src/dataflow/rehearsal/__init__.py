"""A rehearsal: the plan applied to a copy, every operation of every model tried there, and the copy removed.

`rehearsing` is the whole of it; `copies` makes and removes the copy, `trying` tries the models, `records` makes what is
written there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kailash._lazy import exports

if TYPE_CHECKING:
    from dataflow.rehearsal.rehearsing import Rehearsal, Step, rehearse
    from dataflow.rehearsal.trying import Tried, Used

__all__ = ["Rehearsal", "Step", "Tried", "Used", "rehearse"]

__getattr__, __dir__ = exports(
    __name__,
    {
        "Rehearsal": "dataflow.rehearsal.rehearsing",
        "Step": "dataflow.rehearsal.rehearsing",
        "Tried": "dataflow.rehearsal.trying",
        "Used": "dataflow.rehearsal.trying",
        "rehearse": "dataflow.rehearsal.rehearsing",
    },
)
