"""One HTTP request, read no further than it is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from kailash.errors import InvalidInputError
from kailash.shapes import decode_json
from nexus.channels.base import Receive, Scope
from nexus.channels.rest.refusals import ClientGoneError, UnsupportedMediaError
from nexus.errors import TooLargeError


class Credentials(Mapping[str, str]):
    """The headers of a request as text, made only when somebody looks."""

    __slots__ = ("_headers",)

    def __init__(self, headers: Mapping[bytes, bytes]) -> None:
        self._headers = headers

    def __getitem__(self, name: str) -> str:
        return self._headers[name.encode("latin-1")].decode("latin-1")

    def __iter__(self) -> Iterator[str]:
        return (name.decode("latin-1") for name in self._headers)

    def __len__(self) -> int:
        return len(self._headers)


class Request(msgspec.Struct):
    """What an endpoint gets. headers: names in lower case; of a repeated header, the last."""

    scope: Scope
    headers: dict[bytes, bytes]
    receive: Receive
    request_id: str
    max_body: int  # bytes
    key: str = ""  # what stands in the path for {id} or {name}, decoded

    @property
    def credentials(self) -> Credentials:
        return Credentials(self.headers)

    def prefers(self, preference: bytes) -> bool:
        """Whether the client said so in ``Prefer`` (RFC 7240)."""
        prefer = self.headers.get(b"prefer")
        return prefer is not None and preference in prefer.lower()

    async def body(self) -> bytes:
        """Return the whole body.

        Raises: TooLargeError as soon as it is known to be over the limit, without reading the rest; ClientGoneError.
        """
        length = self.headers.get(b"content-length")
        if length is not None and (len(length) > 18 or int(length) > self.max_body):
            raise self._too_large()
        chunk, more = await self._chunk()
        if not more:
            return chunk
        chunks, size = [chunk], len(chunk)
        while more:
            chunk, more = await self._chunk()
            size += len(chunk)
            if size > self.max_body:
                raise self._too_large()
            chunks.append(chunk)
        return b"".join(chunks)

    async def document(self) -> dict[str, Any]:
        """Return the JSON object of the body; no body is an empty object.

        Raises: UnsupportedMediaError, TooLargeError, MalformedJSONError, InvalidInputError.
        """
        self._check_media()
        body = await self.body()
        if not body:
            return {}
        if b"content-type" not in self.headers:  # a page of any site may send that, unasked
            raise UnsupportedMediaError("the body has no type", hint="send content-type: application/json")
        document = decode_json(body)
        if not isinstance(document, dict):
            raise InvalidInputError(
                f"the body is {_article(document)}, not a JSON object", hint="send {...}; several records go to /bulk"
            )
        return document

    async def _chunk(self) -> tuple[bytes, bool]:
        message = await self.receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        return message.get("body", b""), message.get("more_body", False)

    def _check_media(self) -> None:
        media = self.headers.get(b"content-type")
        if media is not None and media != b"application/json":
            plain = media.split(b";", 1)[0].strip().lower()
            if plain != b"application/json" and not plain.endswith(b"+json"):
                raise UnsupportedMediaError(
                    f"a body of type {plain.decode('latin-1')[:80]!r} cannot be read",
                    hint="send JSON, with content-type: application/json",
                )
        encoding = self.headers.get(b"content-encoding", b"identity")
        if encoding not in {b"identity", b""}:
            raise UnsupportedMediaError("a compressed body cannot be read", hint="send it without content-encoding")

    def _too_large(self) -> TooLargeError:
        return TooLargeError(f"the body is over the limit of {self.max_body} bytes", hint="send it in parts")


def _article(value: object) -> str:
    names = {list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null")
