"""Texts that are sealed whole, where there is a key: journals may hold anything, values of encrypted fields too.

What was kept before there was a key stays readable.
"""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Final

from dataflow.errors import EncryptionError
from kailash._lazy import Late

if TYPE_CHECKING:
    from dataflow.model import keyring
else:
    keyring = Late("dataflow.model.keyring")

MARK: Final = "sealed:"  # how a sealed text begins, JSON does not; then the key's id, and what is sealed in base64


def begins(key: keyring.Key) -> str:
    """Return how texts begin that are sealed with *key*."""
    return f"{MARK}{key.id.hex()}:"


def close(content: bytes, place: bytes, keys: keyring.Keyring | None) -> str:
    """Return the text of *content* for the column *place*: "table.column"."""
    if keys is None:
        return content.decode()
    sealed = keys.first.seal(content, place, searched=False)
    return begins(keys.first) + binascii.b2a_base64(sealed, newline=False).decode()


def open(text: str, place: bytes, keys: keyring.Keyring | None) -> bytes:
    """Return the content of *text*. Raises: EncryptionError."""
    if not text.startswith(MARK):
        return text.encode()
    try:
        if keys is not None:
            return keys.open(binascii.a2b_base64(text.rpartition(":")[2]), place)
    except (binascii.Error, keyring.UnsealedError):
        pass
    raise EncryptionError(
        f"a value of {place.decode()} cannot be decrypted",
        hint="it was changed outside dataflow, or its key is not in encryption_key",
    )
