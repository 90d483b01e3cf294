"""What a plan of the shared cache asks of its server."""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar

import msgspec

from kailash.plan import Plan

T = TypeVar("T")
Command: TypeAlias = tuple[Any, ...]  # ("MGET", b"one", b"two")


class Commands(msgspec.Struct, frozen=True):
    """Do these in order, in one round trip; the reply is a list of their replies."""

    commands: tuple[Command, ...]


ServerPlan: TypeAlias = Plan[Commands, T]


def commands(*asked: Command) -> ServerPlan[list[Any]]:
    """Ask for the replies to *asked*. Raises: AwayError."""
    replies: list[Any] = yield Commands(asked)
    return replies


class AwayError(Exception):
    """The server does not answer; nobody but this package hears of it."""
