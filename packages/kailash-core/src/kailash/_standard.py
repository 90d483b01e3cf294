"""What of the standard library not every program needs: imported when something of it is first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kailash._lazy import Late

__all__ = ["asyncio", "difflib"]

if TYPE_CHECKING:
    import asyncio
    import difflib
else:
    asyncio = Late("asyncio")  # 26 to 35 ms, which a program without a loop does not pay
    difflib = Late("difflib")  # 8 ms, and only when something is misspelled
