"""For tests of programs that stand on dataflow: what a test writes is undone after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dataflow.database import DataFlow


@contextmanager
def isolated(db: DataFlow) -> Iterator[DataFlow]:
    """Undo at the end of the block whatever was written in it, by operations, workflows and transactions.

    It is one transaction, and a transaction inside it is a savepoint. The tables are made first, and stay.
    """
    db.create_tables()
    with db.transaction_sync() as block:
        try:
            yield db
        finally:
            block.rollback()
