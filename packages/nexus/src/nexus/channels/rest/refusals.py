"""What HTTP itself refuses, before any capability is asked. Each class has the status that its kind cannot say."""

from __future__ import annotations

from typing import ClassVar

from kailash.errors import KailashError, Kind


class HTTPRefusalError(KailashError):
    """Base of these; never raised itself."""

    status: ClassVar[int] = 400
    kind = Kind.MALFORMED

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers that this status asks for."""
        return []


class NoSuchRouteError(HTTPRefusalError):
    """Nothing is at this path."""

    status = 404
    kind = Kind.NOT_FOUND
    code = "no_such_route"


class MethodNotAllowedError(HTTPRefusalError):
    """There is something at this path, and not for this method."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, method: str, allowed: tuple[str, ...]) -> None:
        super().__init__(f"{method} is not possible here", hint=f"use one of: {', '.join(allowed)}")
        self.allowed = allowed

    def headers(self) -> list[tuple[bytes, bytes]]:
        return [(b"allow", ", ".join(self.allowed).encode())]


class NotAcceptableError(HTTPRefusalError):
    """The client accepts no media type that we can write."""

    status = 406
    code = "not_acceptable"


class UnsupportedMediaError(HTTPRefusalError):
    """The body is of a media type or an encoding that we cannot read."""

    status = 415
    code = "unsupported_media_type"


class UnreadablePathError(HTTPRefusalError):
    """The path is not percent-encoded UTF-8."""

    code = "unreadable_path"


class InvalidQueryError(HTTPRefusalError):
    """A key of the query string is unknown here, or is given twice."""

    code = "invalid_query"


class InvalidHeaderError(HTTPRefusalError):
    """A header cannot be used as it is."""

    code = "invalid_header"


class InvalidPageError(HTTPRefusalError):
    """A limit or an offset cannot be used."""

    code = "invalid_page"


class PreconditionFailedError(HTTPRefusalError):
    """If-Match names a version, and records of this version of nexus have none."""

    status = 412
    kind = Kind.STALE
    code = "precondition_failed"


class ClientGoneError(Exception):
    """The client went away before it had said everything."""
