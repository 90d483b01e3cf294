"""For which tenant the code acts that calls a database itself: `DataFlow.tenant_context`.

A request's tenant comes with its context, from the channel; see docs/how-to/tenancy.md.
"""

from __future__ import annotations

import logging
from typing import Final

from msgspec.structs import replace

from dataflow.rewrites.tenancy import checked
from kailash.context import Acting, current, set_current
from kailash.errors import ConfigurationError

log = logging.getLogger("dataflow.tenancy")


class TenantContext:
    """The tenant of this task or thread. Tasks begin with that of the task that made them; threads with none."""

    __slots__ = ()

    @property
    def current(self) -> str | None:
        """The tenant, or None."""
        return current().tenant

    def switch(self, tenant: str) -> Acting:
        """Return a block, for ``with`` or ``async with``, whose body acts for *tenant*. Raises: InvalidTenantError."""
        return Acting(replace(current(), tenant=checked(tenant), all_tenants=""))

    def set(self, tenant: str | None) -> None:
        """Act for *tenant* from here on; None: for none. Raises: InvalidTenantError."""
        tenant = None if tenant is None else checked(tenant)
        set_current(replace(current(), tenant=tenant, all_tenants=""))

    def every(self, reason: str) -> Acting:
        """Return a block whose body acts for all tenants. Raises: ConfigurationError without a reason."""
        if not reason.strip():
            raise ConfigurationError("acting for all tenants needs a reason", hint='reason="monthly invoices"')
        around = current()
        log.warning("%s acts for all tenants: %s", around.principal or "the program", reason)
        return Acting(replace(around, tenant=None, all_tenants=reason))


class ForTenants:
    """What a database offers to say for whom it is used."""

    tenant_context: Final = TenantContext()

    def tenant(self, tenant: str) -> Acting:
        """Return a block, for ``with`` or ``async with``, whose body acts for *tenant*. Raises: InvalidTenantError."""
        return self.tenant_context.switch(tenant)

    def set_tenant(self, tenant: str | None) -> None:
        """Act for *tenant* from here on, in this task or thread; None: for none. Raises: InvalidTenantError."""
        self.tenant_context.set(tenant)

    def all_tenants(self, *, reason: str) -> Acting:
        """Return a block whose body reads and changes the records of every tenant; *reason* goes to the log.

        Nothing can be created in it. Raises: ConfigurationError for a reason that says nothing.
        """
        return self.tenant_context.every(reason)
