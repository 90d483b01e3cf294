"""The modules of features that most programs leave off: imported when somebody asks for one, not at every start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kailash._lazy import Late

__all__ = [
    "aio", "answering", "auditing", "checkup", "configured", "feeding", "keeping", "keyring", "keys", "ledger",
    "monitoring", "rekeying", "related", "sqlite", "telling", "walls",
]  # fmt: skip

if TYPE_CHECKING:
    from dataflow import answering, checkup, configured, monitoring
    from dataflow import audit as auditing
    from dataflow import feed as feeding
    from dataflow import rekey as rekeying
    from dataflow.executors import aio, sqlite
    from dataflow.ledger import keeping, telling
    from dataflow.model import keyring
    from dataflow.operations import related
    from dataflow.schema import keys, ledger, walls
else:
    aio = Late("dataflow.executors.aio")  # asyncio
    answering = Late("dataflow.answering")
    auditing = Late("dataflow.audit")
    checkup = Late("dataflow.checkup")
    configured = Late("dataflow.configured")
    feeding = Late("dataflow.feed")
    keeping = Late("dataflow.ledger.keeping")
    keyring = Late("dataflow.model.keyring")
    keys = Late("dataflow.schema.keys")
    ledger = Late("dataflow.schema.ledger")
    monitoring = Late("dataflow.monitoring")
    rekeying = Late("dataflow.rekey")
    related = Late("dataflow.operations.related")
    sqlite = Late("dataflow.executors.sqlite")  # sqlite3
    telling = Late("dataflow.ledger.telling")
    walls = Late("dataflow.schema.walls")
