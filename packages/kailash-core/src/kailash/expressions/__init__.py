"""Expressions and paths: the closed languages in which an author points at values and compares them."""

from __future__ import annotations

from kailash.expressions.grammar import Expression, InvalidExpressionError, compile_expression
from kailash.expressions.paths import ABSENT, Classify, MissingPathError, Reference, Space, dig, reference_at

__all__ = [
    "ABSENT", "Classify", "Expression", "InvalidExpressionError", "MissingPathError", "Reference", "Space",
    "compile_expression", "dig", "reference_at",
]  # fmt: skip
