"""Nexus: one catalogue of capabilities, served over REST, the command line and to agents, through one pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kailash._lazy import exports
from nexus._version import __version__

if TYPE_CHECKING:
    from nexus.app import Nexus as Nexus

__all__ = ["Nexus", "__version__"]

__getattr__, __dir__ = exports(__name__, {"Nexus": "nexus.app"})
