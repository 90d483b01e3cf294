"""Makes what encrypted fields need of a database, and refuses to start with the wrong key.

The table of keys has the id of each key that values are sealed with, and a word sealed by it. A key that is there and
not in ``encryption_key`` is an error at the start and not at the first value that cannot be read.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Final

from dataflow.errors import SchemaMismatchError
from dataflow.ledger.spelling import quoted
from dataflow.model import naming
from dataflow.model.keyring import PREFIX, Keyring, UnsealedError
from dataflow.model.spec import ModelSpec
from dataflow.schema.connection import Connect, Connection
from dataflow.schema.lock import supply
from kailash.errors import ConfigurationError

TABLE: Final = "dataflow_keys"
WORD: Final = b"dataflow"
PLACE: Final = b"dataflow_keys.word"
_BYTES: Final = {"postgresql": "BYTEA", "sqlite": "BLOB"}
_THERE: Final = {
    "postgresql": "SELECT c.relname FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace"
    f" AND (c.relname = '{TABLE}' OR starts_with(c.relname, 'ix_sealed_'))",
    "sqlite": f"SELECT name FROM sqlite_master WHERE name = '{TABLE}' OR name LIKE 'ix#_sealed#_%' ESCAPE '#'",
}
_BEGINS: Final = {"postgresql": "substr({column}, 1, {size})", "sqlite": "hex(substr({column}, 1, {size}))"}


def install(connect: Connect, timeout: float, specs: Iterable[ModelSpec], keyring: Keyring, *, make: bool) -> None:
    """Check the keys of the database and note the first of *keyring*; make the indexes of searchable fields.

    Raises: ConfigurationError for a key that is missing; SchemaMismatchError where nothing may be made.
    """
    searched = [(spec, f.stored_as) for spec in specs for f in spec.fields if f.encrypted and f.encrypted.searchable]
    with connect() as connection:

        def note() -> None:
            if keyring.first.id not in _checked(connection, keyring):
                word = keyring.first.seal(WORD, PLACE, searched=False)
                connection.ask(f"INSERT INTO {TABLE} (id, word) VALUES (?, ?)", (keyring.first.id.hex(), word))

        refusal = SchemaMismatchError(
            "the database is not ready for encrypted fields", hint="let auto_migrate=True make what they need once"
        )
        missing = partial(_missing, connection, searched, keyring)
        supply(connection, timeout, missing, make=make, refusal=refusal, then=note)


def forget(connection: Connection, keyring: Keyring) -> None:
    """Forget all keys but the first: nothing is sealed with them any more."""
    connection.ask(f"DELETE FROM {TABLE} WHERE id <> ?", (keyring.first.id.hex(),))


def _missing(connection: Connection, searched: list[tuple[ModelSpec, str]], keyring: Keyring) -> list[str]:
    """Return the statements that make what is missing; one that does nothing where only the key is not noted."""
    dialect = connection.dialect
    there = {str(row[0]) for row in connection.ask(_THERE[dialect])}
    statements = []
    if TABLE not in there:
        statements.append(f"CREATE TABLE IF NOT EXISTS {TABLE} (id TEXT PRIMARY KEY, word {_BYTES[dialect]} NOT NULL)")
    elif keyring.first.id not in _checked(connection, keyring):
        statements.append("SELECT 1")
    for spec, field in searched:
        name = naming.fit(f"ix_sealed_{spec.table}_{field}")
        if name not in there:
            begins = _BEGINS[dialect].format(column=quoted(field), size=PREFIX)
            statements.append(f"CREATE INDEX IF NOT EXISTS {quoted(name)} ON {quoted(spec.table)} ({begins})")
    return statements


def _checked(connection: Connection, keyring: Keyring) -> set[bytes]:
    """Return the ids of the keys that the database has. Raises: ConfigurationError for one that is not ours."""
    found = set()
    for text, word in connection.ask(f"SELECT id, word FROM {TABLE}"):
        id = bytes.fromhex(text)
        try:
            opened = keyring.open(bytes(word), PLACE)
        except UnsealedError:
            opened = b""
        if opened != WORD:
            raise ConfigurationError(
                f"values of this database are encrypted with a key (id {text}) that encryption_key does not have",
                hint="give the old key too, after the new one, until `dataflow rekey` is done",
            )
        found.add(id)
    return found
