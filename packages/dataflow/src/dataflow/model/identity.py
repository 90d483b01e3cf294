"""Ids that we make: UUIDs of version 7, which sort by the time they were made (RFC 9562, section 5.7)."""

from __future__ import annotations

from os import urandom
from time import time_ns
from uuid import UUID

_VERSION_AND_VARIANT = (7 << 76) | (0b10 << 62)


def new_uuid() -> UUID:
    """Return a new id."""
    return UUID(int=_new())


def new_text() -> str:
    """Return a new id as its text."""
    digits = f"{_new():032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _new() -> int:
    """48 bits of milliseconds, 12 bits of the fraction of one (method 3 of section 6.2), 62 bits of chance."""
    milliseconds, nanoseconds = divmod(time_ns(), 1_000_000)
    fraction = (nanoseconds << 12) // 1_000_000
    chance = int.from_bytes(urandom(8)) >> 2
    return (milliseconds << 80) | (fraction << 64) | chance | _VERSION_AND_VARIANT
