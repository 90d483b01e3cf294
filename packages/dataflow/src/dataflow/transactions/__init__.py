"""Transactions of several operations: ``db.transaction()``, ``db.transaction_sync()``, and those of workflows.

Rule 1: a block is joined by the operations of its database in the same context (the task or the thread that began it,
        and what they start: child tasks, ``asyncio.to_thread``), one plan at a time: no two use its connection at once.
Rule 2: a block inside a block is a savepoint; until it ends the outer one's own plans wait.
Rule 3: what outlives its block is refused; it never commits by itself instead.
Rule 4: a block ends however its body ends: kept after a normal end, undone after any exception or cancellation.
"""
