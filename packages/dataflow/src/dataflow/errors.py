"""Errors of the data layer.

DataFlowError
+-- ModelError            a declaration makes no sense
+-- RecordNotFoundError   no record has that id
+-- DuplicateError        a unique constraint refused the write
+-- ForeignKeyError       a foreign key refused the write
+-- ConstraintError       another constraint refused the write
+-- VersionConflictError  the record is not of the version that the caller knows
+-- TenantRequiredError   a multi-tenant model was asked for without a tenant
+-- InvalidTenantError    no tenant can have that name
+-- UnconfirmedError      an unfiltered bulk change was not confirmed
+-- IncludeTooLargeError  too many records would come along with an answer
+-- SchemaMismatchError   a table is not what its model says
|   +-- MigrationRefusedError   it would not change by itself into what the models say
|   +-- MigrationFailedError    a change was tried, and the records that are there forbid it
+-- RollbackError         there is nothing that could be undone
+-- MigrationLockedError  somebody else holds the migration lock
+-- FeedPositionError     the feed does not go back that far
+-- AuditBrokenError      the audit log is not what was written
+-- EncryptionError       a value cannot be decrypted, or a key is missing
+-- RetryableError        a deadlock or a serialization failure: the same call may succeed
+-- DatabaseError         the database refused, for a reason that is nobody's input
    +-- DatabaseUnavailableError   it cannot be reached
    +-- TransactionError           the transaction has ended, or can only be rolled back
"""

from __future__ import annotations

from kailash.errors import KailashError, Kind


class DataFlowError(KailashError):
    """Base of DataFlow's errors; never raised itself."""


class ModelError(DataFlowError):
    """A model's declaration makes no sense."""

    kind = Kind.INVALID
    code = "model_declaration"


class UnknownModelError(DataFlowError):
    """No model of that name is registered."""

    kind = Kind.NOT_FOUND
    code = "unknown_model"


class RecordNotFoundError(DataFlowError):
    """No record has that id, as far as this caller may know."""

    kind = Kind.NOT_FOUND
    code = "record_not_found"


class DuplicateError(DataFlowError):
    """A unique constraint refused the write."""

    kind = Kind.CONFLICT
    code = "duplicate"


class ForeignKeyError(DataFlowError):
    """A foreign key refused the write: the record it points to is absent, or one still points here."""

    kind = Kind.CONFLICT
    code = "foreign_key"


class ConstraintError(DataFlowError):
    """Another constraint of the database refused the write."""

    kind = Kind.INVALID
    code = "constraint"


class VersionConflictError(DataFlowError):
    """The record is not of the version that the caller knows: somebody else changed it in between."""

    kind = Kind.CONFLICT
    code = "version_conflict"


class TenantRequiredError(DataFlowError):
    """A multi-tenant model was asked for without saying for which tenant."""

    kind = Kind.DENIED
    code = "tenant_required"


class InvalidTenantError(DataFlowError):
    """No tenant can have that name."""

    kind = Kind.INVALID
    code = "invalid_tenant"


class UnconfirmedError(DataFlowError):
    """A bulk change of every record was not confirmed."""

    kind = Kind.UNCONFIRMED
    code = "unconfirmed"


class InvalidSortError(DataFlowError):
    """A sort key names no field."""

    kind = Kind.MALFORMED
    code = "invalid_sort"


class InvalidPageError(DataFlowError):
    """A limit, an offset or a cursor cannot be used."""

    kind = Kind.MALFORMED
    code = "invalid_page"


class IncludeTooLargeError(DataFlowError):
    """More records would come along with an answer than one may have."""

    kind = Kind.TOO_LARGE
    code = "include_too_large"


class SchemaMismatchError(DataFlowError):
    """A table exists and is not what its model says."""

    kind = Kind.UNAVAILABLE
    code = "schema_mismatch"


class MigrationRefusedError(SchemaMismatchError):
    """The schema does not follow the models by itself: data could be lost, or somebody must say what to do."""

    code = "migration_refused"

    def __init__(self, message: str, *, hint: str = "", plan: str = "") -> None:
        super().__init__(message, hint=hint)
        self.plan = plan  # the name of the plan, which `dataflow migrate --accept` takes


class MigrationFailedError(SchemaMismatchError):
    """A change of the schema was tried, and the records that are there forbid it; everything is as it was."""

    code = "migration_failed"


class RollbackError(DataFlowError):
    """There is no migration to go back to, or what it changed is not there any more."""

    kind = Kind.CONFLICT
    code = "rollback"


class MigrationLockedError(DataFlowError):
    """Somebody else holds the migration lock of this database."""

    kind = Kind.UNAVAILABLE
    code = "migration_locked"


class FeedPositionError(DataFlowError):
    """The feed does not keep changes as old as the ones that are asked for."""

    kind = Kind.CONFLICT
    code = "feed_position"


class AuditBrokenError(DataFlowError):
    """An entry of the audit log was changed, or is missing."""

    kind = Kind.CONFLICT
    code = "audit_broken"


class EncryptionError(DataFlowError):
    """An encrypted value was changed, or its key is not there."""

    code = "encryption"


class RetryableError(DataFlowError):
    """A deadlock, a serialization failure or a busy database: the same call may succeed."""

    kind = Kind.UNAVAILABLE
    code = "retry"


class DatabaseError(DataFlowError):
    """The database refused for a reason that is nobody's input."""

    code = "database"


class DatabaseUnavailableError(DatabaseError):
    """The database cannot be reached, or refuses to be entered."""

    kind = Kind.UNAVAILABLE
    code = "database_unavailable"


class TransactionError(DatabaseError):
    """A transaction has ended, can only be rolled back, or cannot be used from here."""

    code = "transaction"
