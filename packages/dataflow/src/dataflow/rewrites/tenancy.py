"""Confine an operation to the records of one tenant.

Rule 1: no tenant is an error, never all records. Only `Context.all_tenants`, which says why, lifts the confinement,
        and then nothing can be created: a record has one owner.
Rule 2: what is stored belongs to the tenant; what is found, changed or removed is the tenant's already.
Rule 3: a record is matched within the tenant; by its id too, so that an id of another tenant's record finds nothing,
        and whoever stores it is told what everybody is told of an id that is taken.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from dataflow.errors import InvalidTenantError, TenantRequiredError
from dataflow.model.spec import TENANT, ModelSpec
from dataflow.operations import values as ops
from dataflow.query.binding import Ready, narrowed, ready
from dataflow.rewrites import batches, softdelete
from kailash.conditions import EVERYTHING, Test, Where
from kailash.context import ANONYMOUS, Context, current

MAX_LENGTH: Final = 255  # characters of a tenant's name; arbitrary: the longest name of a host has 253
MOST: Final = 10_000  # tenants whose conditions are kept for each model; arbitrary: some megabytes


def rewrites(spec: ModelSpec) -> Mapping[type, Callable[[Any, Context, dt.datetime], Any]]:
    """Return what tenancy makes of each kind of operation."""
    if not spec.options.multi_tenant:
        return {}
    one = Confinement(spec.name)
    return {
        ops.Create: one.create,
        ops.Upsert: one.upsert,
        ops.BulkCreate: one.bulk_create,
        ops.BulkUpsert: one.bulk_upsert,
        **dict.fromkeys(ops.READS, one.see if spec.options.soft_delete else one.narrow),
        **dict.fromkeys((ops.History, ops.Update, ops.Delete, ops.BulkUpdate, ops.BulkDelete), one.narrow),
    }


def checked(tenant: Any) -> str:
    """Return *tenant*, if a tenant can have that name. Raises: InvalidTenantError."""
    if not isinstance(tenant, str):
        raise InvalidTenantError(f"a tenant is named by a text, not by a {type(tenant).__name__}")
    if not tenant or len(tenant) > MAX_LENGTH:
        raise InvalidTenantError(f"the name of a tenant has 1 to {MAX_LENGTH} characters, not {len(tenant)}")
    surrogates = not tenant.isascii() and any("\ud800" <= character <= "\udfff" for character in tenant)
    if surrogates or "\0" in tenant:
        raise InvalidTenantError("the name of a tenant holds a character that no database can keep")
    return tenant


def tenant_of(context: Context) -> str | None:
    """Return the tenant that *context*, or else the code around, acts for; None for all of them.

    Raises: TenantRequiredError.
    """
    if context.tenant is None and not context.all_tenants:
        context = current()
    if context.tenant is not None:
        return context.tenant
    if context.all_tenants:
        return None
    raise TenantRequiredError("no tenant is named", hint='say which: with db.tenant("acme"): ...')


class Confinement:
    """The rewrites of one model."""

    __slots__ = ("_known", "_live", "_model")

    def __init__(self, model: str) -> None:
        self._model = model
        self._known: dict[str, tuple[Ready, Ready]] = {}
        self._live: dict[str | None, Ready] = {}  # the second of each pair: what is asked most is found at once

    def narrow(self, operation: Any, context: Context, now: dt.datetime) -> Any:
        """Find only what is the tenant's."""
        tenant = self._tenant(context)
        return operation if tenant is None else replace(operation, where=self._within(operation.where, tenant))

    def see(self, operation: Any, context: Context, now: dt.datetime) -> Any:
        """Find only what is the tenant's and, unless the operation says otherwise, not deleted."""
        live = self._live.get((current() if context is ANONYMOUS else context).tenant)
        if live is None or operation.deleted != "hidden":
            return self.narrow(softdelete.seen(operation, context, now), context, now)
        return replace(operation, where=live if operation.where is EVERYTHING else narrowed(operation.where, live))

    def create(self, values: dict[str, Any], context: Context, now: dt.datetime) -> None:
        """Store it as the tenant's."""
        values[TENANT] = self._owner(context)

    def upsert(self, operation: ops.Upsert, context: Context, now: dt.datetime) -> ops.Upsert:
        """Store it as the tenant's, or change the tenant's."""
        owner = self._owner(context)
        return replace(
            operation,
            create={**operation.create, TENANT: owner},
            match=_within(operation.match),
            where=self._within(operation.where, owner),
        )

    def bulk_create(self, operation: ops.BulkCreate, context: Context, now: dt.datetime) -> ops.BulkCreate:
        """Store them as the tenant's."""
        return replace(operation, batches=batches.extended(operation.batches, {TENANT: self._owner(context)}))

    def bulk_upsert(self, operation: ops.BulkUpsert, context: Context, now: dt.datetime) -> ops.BulkUpsert:
        """Store them as the tenant's, or change the tenant's."""
        owner = self._owner(context)
        skips = operation.resolution == "skip" and operation.match == ("id",)
        return replace(
            operation,
            batches=batches.extended(operation.batches, {TENANT: owner}),
            match=operation.match if skips else _within(operation.match),  # an id that is taken anywhere is skipped
            where=self._within(operation.where, owner),
        )

    def _within(self, where: Where, tenant: str) -> Where:
        own, live = self._known.get(tenant) or self._remember(tenant)
        return live if where is softdelete.LIVE else narrowed(where, own)

    def _remember(self, tenant: str) -> tuple[Ready, Ready]:
        """Read the tenant's condition once: alone, and with that of the live records."""
        mine = Test(TENANT, "eq", str.__str__(checked(tenant)))  # a plain one: it is shown in records
        if len(self._known) >= MOST:
            self._known, self._live = {}, {}
        both = self._known[tenant] = (ready(mine), ready(softdelete.LIVE & mine))
        self._live[tenant] = both[1]
        return both

    def _owner(self, context: Context) -> str:
        tenant = self._tenant(context)
        if tenant is None:
            raise TenantRequiredError(
                f"a {self._model} is stored for one tenant, and this is done for all",
                hint='say whose it is: with db.tenant("acme"): ...',
            )
        if tenant not in self._known:
            self._remember(tenant)
        return tenant

    def _tenant(self, context: Context) -> str | None:
        if context is ANONYMOUS and (tenant := current().tenant) is not None:
            return tenant
        try:
            return tenant_of(context)
        except TenantRequiredError as error:
            raise TenantRequiredError(
                f"{self._model} is multi-tenant, and no tenant is named", hint=error.hint
            ) from None


def _within(match: tuple[str, ...]) -> tuple[str, ...]:
    """What records are told apart by: within the tenant, by the id too, though it is unique by itself."""
    return match if TENANT in match else (TENANT, *match)
