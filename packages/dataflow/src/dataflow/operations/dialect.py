"""The two families of SQL that plans know."""

from __future__ import annotations

from typing import Literal, TypeAlias

Dialect: TypeAlias = Literal["postgresql", "sqlite"]
