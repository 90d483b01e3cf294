"""Conditions: which records are meant. One grammar and one meaning, in SQL and in memory.

`parse` reads a filter, `matches` applies it to a record in memory, `dataflow.query.render` writes it as SQL.

Rule 1: a condition is true or false, never unknown. A comparison with a null is false; ``ne``, ``nin`` and
        ``Not`` are the opposite of ``eq``, ``in`` and what they negate, so they include records without a value.
Rule 2: text compares by code point. Case is folded one character at a time (`kailash.conditions.patterns`).
Rule 3: what is asked is checked before it is here; a `Test` holds values of the field's declared Python type.
"""

from __future__ import annotations

from kailash.conditions.memory import matches
from kailash.conditions.reading import OPERATORS, parse, read_text
from kailash.conditions.values import EVERYTHING, All, Not, Some, Test, Where

__all__ = ["EVERYTHING", "OPERATORS", "All", "Not", "Some", "Test", "Where", "matches", "parse", "read_text"]
