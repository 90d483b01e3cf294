"""Answers to reads, kept until somebody writes: in the memory of the process, or in Redis.

Rule 1: the key of an answer is the operation as policy has rewritten it, under the generation of its model and tenant.
        A tenant is part of the operation; a write makes a new generation, after its commit. So a slow read that began
        before a write keeps its answer where nobody looks any more.
Rule 2: a reader is given a copy. What it does to it is its own affair.
Rule 3: in a transaction nothing is read from here: it must see its own writes, and nobody else must.
Rule 4: while it is not known whether an answer is old, it is: the database is asked.
"""

from __future__ import annotations
