"""The eleven operations: their values, and the plans that carry them out."""

from __future__ import annotations
