"""Shapes: what values must look like, checked once, in about a microsecond a record.

Rule 1: a checked value has its declared Python type, and every database and channel can give it back exactly.
Rule 2: a refusal names every bad field, and repeats no value.
"""

from __future__ import annotations

from kailash.shapes.annotations import NAIVE, Rules, Unfolded, unfold
from kailash.shapes.checks import compile_check
from kailash.shapes.json import MalformedJSONError, NotJSONError, decode_json, encode_json, plain
from kailash.shapes.scalars import Check, RefusedError
from kailash.shapes.schema import schema_of
from kailash.shapes.shape import REQUIRED, Field, Shape

__all__ = [
    "NAIVE", "REQUIRED", "Check", "Field", "MalformedJSONError", "NotJSONError", "RefusedError", "Rules", "Shape",
    "Unfolded", "compile_check", "decode_json", "encode_json", "plain", "schema_of", "unfold",
]  # fmt: skip
