"""The ledger of changes: what was written to the tables of some models, by whom, one row for each record.

Rule 1: the tables tell, by triggers. No path can forget it: bulk, COPY, upsert, cascade, workflow, raw SQL.
Rule 2: a change is in the transaction of the write that it tells of: both are there, or neither.
Rule 3: who writes travels with the statement itself; a told write costs no further round trip.
Rule 4: a model that nobody asked to be told of has no trigger, and its plans are as they are without this package.

PostgreSQL has triggers of the database, one for each kind of statement. On SQLite a connection makes its own
(CREATE TEMP TRIGGER): they call a function of the connection, and a migration cannot lose them.
What other programs write to a file of SQLite its tables tell where that is asked for. Their triggers ask the connection
first whether it tells of the table itself (`spelling.OWN`), so that each change is told once, by whoever knows more.
"""

from __future__ import annotations
