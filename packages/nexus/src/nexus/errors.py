"""The refusals of nexus: what the pipeline and the server say before a capability is reached.

KailashError
+-- UnauthenticatedError  nobody knows who asks
+-- DeniedError           the one who asks may not
+-- RateLimitedError      too many calls
+-- UnconfirmedError      a destructive call needs a confirmation first
+-- TooLargeError         a body or a batch is over its limit
+-- NotReadyError         the schema is not ready yet
+-- PortTakenError        another program listens there
+-- KeyReusedError        an idempotency key came with another request before
+-- NoSuchJobError        no job of the caller has that id
+-- FaultError            a fault of ours, told without its details
"""

from __future__ import annotations

from kailash.errors import KailashError, Kind


class UnauthenticatedError(KailashError):
    """The credentials are absent or unknown."""

    kind = Kind.UNAUTHENTICATED
    code = "unauthenticated"


class DeniedError(KailashError):
    """The caller is known, and may not do this."""

    kind = Kind.DENIED
    code = "denied"


class RateLimitedError(KailashError):
    """The caller has used up its calls for now."""

    kind = Kind.LIMITED
    code = "rate_limited"


class UnconfirmedError(KailashError):
    """A destructive call was not confirmed by a person."""

    kind = Kind.UNCONFIRMED
    code = "unconfirmed"


class TooLargeError(KailashError):
    """A body, or the number of records in one call, is over its limit."""

    kind = Kind.TOO_LARGE
    code = "too_large"


class NotReadyError(KailashError):
    """The schema is being made ready; the same call succeeds a moment later."""

    kind = Kind.UNAVAILABLE
    code = "not_ready"


class PortTakenError(KailashError):
    """Another program listens on the port that was asked for."""

    kind = Kind.UNAVAILABLE
    code = "port_taken"


class KeyReusedError(KailashError):
    """The idempotency key came with another workflow or other inputs before."""

    kind = Kind.INVALID
    code = "idempotency_key_reused"


class NoSuchJobError(KailashError):
    """No job of the caller has that id; jobs that ended are forgotten after a while."""

    kind = Kind.NOT_FOUND
    code = "no_such_job"


class FaultError(KailashError):
    """A fault inside; its details are in the log, under the request id, and nowhere else."""

    kind = Kind.FAULT
    code = "fault"
