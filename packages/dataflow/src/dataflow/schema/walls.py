"""Row level security: the second wall between tenants, which PostgreSQL keeps itself.

Rule 1: a policy shows and takes the rows of the tenant that the transaction names (`operations.walled`), and no row
        where it names none; FORCE holds it against the owner of the table too.
Rule 2: a role that no policy binds (a superuser, BYPASSRLS) is refused at the start: the wall would not be there.
Rule 3: the schema's own work sees all rows; it says so to its own connection, and takes it back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from dataflow.errors import SchemaMismatchError
from dataflow.ledger.spelling import quoted
from dataflow.model.spec import TENANT, ModelSpec
from dataflow.operations.walled import EVERY, SETTING
from dataflow.schema.connection import Connect, Connection
from dataflow.schema.lock import supply
from kailash.errors import ConfigurationError

PREFIX: Final = "dataflow_wall_"
_ROLE: Final = "SELECT current_user, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
_THERE: Final = (
    "SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity, p.polname FROM pg_class c"
    f" LEFT JOIN pg_policy p ON p.polrelid = c.oid AND starts_with(p.polname, '{PREFIX}')"
    " WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = ANY(?)"
)
# Asked once for each statement, not for each row: https://www.postgresql.org/docs/current/functions-admin.html.
# A setting that was set for an earlier transaction of the connection is empty, not null.
_MINE: Final = (
    f"{{column}} = (SELECT nullif(current_setting('{SETTING}', true), ''))"
    f" OR (SELECT current_setting('{EVERY}', true) = 'on')"
)


def install(connect: Connect, timeout: float, specs: Iterable[ModelSpec], *, make: bool) -> None:
    """Make the policies that are missing, or, where *make* is false, refuse to go on without them.

    timeout: seconds that another process's migration is waited for.

    Raises: ConfigurationError for a role that would pass the wall; SchemaMismatchError; MigrationLockedError.
    """
    wanted = [*specs]
    with connect() as connection:
        role, passes = connection.ask(_ROLE)[0]
        if passes:
            raise ConfigurationError(
                f"row_level_security=True, and no policy binds the role {role!r}: it is a superuser or has BYPASSRLS",
                hint="connect as a role made with NOSUPERUSER NOBYPASSRLS that owns the tables",
            )
        refusal = SchemaMismatchError(
            "the tables have no row level security, which was asked for",
            hint="let auto_migrate=True make the policies once, as the owner of the tables",
        )
        missing = partial(_missing, connection, wanted)
        supply(connection, timeout, missing, make=make, refusal=refusal)


def beyond(connect: Connect) -> Connect:
    """Return *connect* for the schema's work, which concerns the rows of all tenants."""

    @contextmanager
    def opened() -> Iterator[Connection]:
        with connect() as connection:
            connection.ask("SELECT set_config(?, 'on', false)", (EVERY,))
            try:
                yield connection
            finally:  # the connection is of the pool
                connection.ask("ROLLBACK")
                connection.ask("SELECT set_config(?, '', false)", (EVERY,))

    return opened


def _missing(connection: Connection, specs: list[ModelSpec]) -> list[str]:
    """Return the statements that make what is missing."""
    there = connection.ask(_THERE, ([spec.table for spec in specs],))
    forced = {str(table) for table, on, _ in there if on}
    policies = {(str(table), str(policy)) for table, _, policy in there if policy is not None}
    statements = []
    for spec in specs:
        table, mine = quoted(spec.table), _MINE.format(column=quoted(spec.by_name[TENANT].stored_as))
        name = PREFIX + hashlib.sha256(mine.encode()).hexdigest()[:16]
        known = {policy for each, policy in policies if each == spec.table}
        if name not in known:
            statements.append(f"CREATE POLICY {name} ON {table} USING ({mine}) WITH CHECK ({mine})")
        statements += [f"DROP POLICY {former} ON {table}" for former in sorted(known - {name})]
        if spec.table not in forced:
            statements += [f"ALTER TABLE {table} {how} ROW LEVEL SECURITY" for how in ("ENABLE", "FORCE")]
    return statements
