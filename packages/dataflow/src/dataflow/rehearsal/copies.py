"""A copy of a database, with the models that it has, for as long as a block takes.

SQLite: a copy of the file, or of what is in memory. PostgreSQL: a schema beside the real one, with a sample of the
records. Either goes with the block, whatever ends it; a schema that a killed process left is removed by the next copy.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from dataflow.database import DataFlow
from dataflow.schema import passing, staging


@contextmanager
def copy_of(db: DataFlow, sample: int) -> Iterator[tuple[DataFlow, int]]:
    """Yield a copy of *db*, and how many records it has; *sample*: of each table at most (PostgreSQL)."""
    make = _file if db.url.dialect == "sqlite" else _schema
    with make(db, sample) as (url, copied):
        copy = DataFlow(url, application="rehearsal", auto_migrate=False)
        copy.models.keyring = db.models.keyring
        for model in db.models:
            copy.models.register(model.spec)
        try:
            yield copy, copied
        finally:
            copy.close()


@contextmanager
def _file(db: DataFlow, sample: int) -> Iterator[tuple[str, int]]:
    """Copy all of it, into a folder that is named for this process: SQLite does so page by page."""
    with tempfile.TemporaryDirectory(prefix=f"dataflow-rehearsal-{os.getpid()}-") as folder:
        path = Path(folder) / "copy.db"
        with db.connection() as connection:
            connection.ask("VACUUM INTO ?", (str(path),))
            copied = sum(staging.counted(connection, [model.spec.table for model in db.models]))
        yield f"sqlite:///{path}", copied


@contextmanager
def _schema(db: DataFlow, sample: int) -> Iterator[tuple[str, int]]:
    name = f"{staging.PREFIX}{secrets.token_hex(4)}"
    with db.connection() as connection:
        staging.remove_dead(connection)
        original = str(connection.ask("SELECT current_schema()")[0][0])
        with staging.held(connection, name):
            copied = staging.copy(connection, passing.names_of(db.models), name, sample)
            yield _within(db.options.database_url, f"{name},{original}"), copied


def _within(url: str, path: str) -> str:
    """Return *url* with the search path *path*."""
    place, _, query = url.partition("?")
    options = dict(parse_qsl(query))
    options["options"] = f"{options.get('options', '')} -csearch_path={path}".strip()
    return f"{place}?{urlencode(options)}"
