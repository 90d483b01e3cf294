"""The column type of encrypted fields: what writes to the column seals, what reads it opens. Imports SQLAlchemy.

Rule: the values of such a column are compared with nothing but each other's digests, where the model asks for these.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from dataflow.errors import EncryptionError
from dataflow.model.keyring import PREFIX, Keyring, UnsealedError
from dataflow.model.spec import FieldSpec
from kailash.errors import InvalidFilterError
from kailash.shapes import unfold

Codec = tuple[Callable[[Any], Any] | None, Callable[[Any], Any] | None]


class Sealed(sa.types.UserDefinedType[Any]):
    """Sealed bytes."""

    cache_ok = False

    def __init__(self, table: str, field: FieldSpec, keyring: Keyring) -> None:
        self.searched = field.encrypted is not None and field.encrypted.searchable
        self.table, self.field = table, field  # SQLAlchemy makes copies by the names of the parameters
        self.keyring = keyring
        self._place = f"{table}.{field.name}".encode()
        self._decode = msgspec.json.Decoder(unfold(field.annotation).core).decode
        # What was sealed last, and how it was: a write returns it at once, and it need not be opened.
        self._latest: tuple[bytes, bytes] = (b"", b"")

    def get_col_spec(self, **_: Any) -> str:
        """How PostgreSQL names bytes."""
        return "BYTEA"

    def codec(self, driver: str) -> Codec:
        """Return how a value is sealed and opened."""
        return self.seal, self.open

    def seal(self, value: Any) -> bytes:
        """Return *value* sealed."""
        plain = msgspec.json.encode(value)
        sealed = self.keyring.first.seal(plain, self._place, searched=self.searched)
        self._latest = sealed, plain  # one assignment: threads share a column
        return sealed

    def open(self, sealed: Any) -> Any:
        """Return the value. Raises: EncryptionError."""
        latest, plain = self._latest
        try:
            return self._decode(plain if sealed == latest else self.keyring.open(bytes(sealed), self._place))
        except (UnsealedError, msgspec.DecodeError):
            raise EncryptionError(
                f"a value of {self._place.decode()} cannot be decrypted",
                hint="it was changed outside dataflow, moved from another column, or its key is not in encryption_key",
            ) from None

    def search(self, operator: str) -> tuple[int, Prefixes]:
        """Return how many bytes a test of that operator compares, and with what. Raises: InvalidFilterError."""
        if self.searched and operator in ("eq", "ne", "in", "nin"):
            return PREFIX, Prefixes(self, operator)
        asked = "by equality" if self.searched else "whether it is null"
        raise InvalidFilterError(
            f"{self.field.name!r} is encrypted and can only be asked {asked}",
            hint="" if self.searched else "Encrypted(searchable=True) allows equality",
        )

    def prefixes(self, value: Any) -> list[bytes]:
        """Return how *value* begins under each key."""
        return self.keyring.prefixes(msgspec.json.encode(value), self._place)


@compiles(Sealed, "sqlite")
def _blob(*_: Any, **__: Any) -> str:
    return "BLOB"


class Prefixes(sa.types.UserDefinedType[Any]):
    """How the values that are searched for begin: an array, or JSON text of hexadecimal on SQLite."""

    cache_ok = False

    def __init__(self, sealed: Sealed, operator: str) -> None:
        self.sealed = sealed
        self.operator = operator

    def get_col_spec(self, **_: Any) -> str:
        """The array type of PostgreSQL."""
        return "BYTEA[]"

    def codec(self, driver: str) -> Codec:
        """Return how the operand of a test becomes prefixes."""

        def encode(operand: Any) -> Any:
            values = operand if self.operator in ("in", "nin") else [operand]
            found = [prefix for value in values if value is not None for prefix in self.sealed.prefixes(value)]
            return msgspec.json.encode([each.hex().upper() for each in found]).decode() if driver == "sqlite" else found

        return encode, None
