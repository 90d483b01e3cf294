"""Keys, and what they make of a value: AES-256-GCM, with the key's id in front. The home of ``cryptography``.

A sealed value: one byte of edition, four of key id, sixteen of a digest where equality is searched for, twelve of
nonce, the ciphertext and its tag. Edition, key id, digest, table and field are authenticated: a value does not open in
another column. The digest is an HMAC of the value and the field under a key of its own: equal values have equal
digests, and that is all that it tells.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable
from importlib import import_module
from os import urandom
from typing import Any, Final

from kailash.errors import ConfigurationError, NotAvailableError

PLAIN: Final = b"\x01"  # editions: without a digest, with one
SEARCHED: Final = b"\x02"
ID: Final = 4  # bytes
DIGEST: Final = 16  # bytes; 2**64 values until two of them are likely to have one digest
NONCE: Final = 12  # bytes: https://csrc.nist.gov/pubs/sp/800/38/d/final
PREFIX: Final = 1 + ID + DIGEST
HINT: Final = 'make one: python -c "import base64, os; print(base64.b64encode(os.urandom(32)).decode())"'


class UnsealedError(Exception):
    """A value that does not open: it was changed, or belongs elsewhere. `dataflow.model.sealed` says it to callers."""


class Key:
    """One key of 32 bytes."""

    __slots__ = ("_cipher", "_refusals", "_search", "chain", "id")

    def __init__(self, secret: bytes) -> None:
        """Raises: NotAvailableError where ``cryptography`` is not installed."""
        try:
            aead = import_module("cryptography.hazmat.primitives.ciphers.aead")
            refused = import_module("cryptography.exceptions").InvalidTag
        except ImportError as fault:
            raise NotAvailableError(
                "encryption needs the cryptography package", hint='install "dataflow[encryption]"'
            ) from fault
        self.id = hashlib.sha256(b"dataflow key id" + secret).digest()[:ID]
        self._refusals: tuple[type[Exception], ...] = (refused, ValueError)  # of what is too short, too
        self._cipher: Any = aead.AESGCM(hmac.digest(secret, b"dataflow values", "sha256"))
        self._search = hmac.digest(secret, b"dataflow search", "sha256")
        self.chain = hmac.digest(secret, b"dataflow audit", "sha256")

    def seal(self, value: bytes, place: bytes, *, searched: bool) -> bytes:
        """Return *value* sealed for *place*: "table.field"."""
        head = self.prefix(value, place) if searched else PLAIN + self.id
        nonce = urandom(NONCE)
        sealed: bytes = self._cipher.encrypt(nonce, value, head + place)
        return head + nonce + sealed

    def prefix(self, value: bytes, place: bytes) -> bytes:
        """Return how a searched value begins."""
        digest = hmac.digest(self._search, place + b"\0" + value, "sha256")[:DIGEST]
        return SEARCHED + self.id + digest

    def open(self, sealed: bytes, place: bytes, head: int) -> bytes:
        """Return the value. Raises: UnsealedError."""
        try:
            value: bytes = self._cipher.decrypt(
                sealed[head : head + NONCE], sealed[head + NONCE :], sealed[:head] + place
            )
        except self._refusals as fault:
            raise UnsealedError from fault
        return value


class Keyring:
    """The keys of one database: the first seals, all of them open."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self.keys = tuple(keys)
        self._by_id = {key.id: key for key in self.keys}

    @property
    def first(self) -> Key:
        """The key that seals."""
        return self.keys[0]

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """Return the value of *sealed*. Raises: UnsealedError."""
        key = self._by_id.get(sealed[1 : 1 + ID])
        if key is None or sealed[:1] not in (PLAIN, SEARCHED):
            raise UnsealedError
        return key.open(sealed, place, PREFIX if sealed[:1] == SEARCHED else 1 + ID)

    def prefixes(self, value: bytes, place: bytes) -> list[bytes]:
        """Return how *value* begins under each of the keys."""
        return [key.prefix(value, place) for key in self.keys]

    def __contains__(self, id: bytes) -> bool:
        return id in self._by_id


def read(given: str | Iterable[str]) -> Keyring:
    """Return the keyring of one or several keys of 32 bytes, in base64 or hexadecimal; by commas in one text.

    Raises: ConfigurationError, which tells nothing of the key; NotAvailableError without ``cryptography``.
    """
    texts = [each.strip() for each in (given.split(",") if isinstance(given, str) else given)]
    if not texts or not all(texts):
        raise ConfigurationError("encryption_key is empty", hint=HINT)
    return Keyring([Key(_secret(text, place)) for place, text in enumerate(texts, 1)])


def _secret(text: str, place: int) -> bytes:
    if re.fullmatch(r"[0-9a-fA-F]{64}", text):
        return bytes.fromhex(text)
    try:
        secret = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        raise ConfigurationError(
            f"key {place} of encryption_key is neither base64 nor hexadecimal", hint=HINT
        ) from None
    if len(secret) != 32:
        raise ConfigurationError(f"key {place} of encryption_key has {len(secret)} bytes and not 32", hint=HINT)
    return secret
