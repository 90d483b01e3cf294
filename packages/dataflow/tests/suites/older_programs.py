"""Programs for an older API: those of the older guides, as they stand there, and a shop of ten files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

GUIDES: Final[Mapping[str, str]] = {
    "renamed and moved": '''
from nexus.core import Nexus                    # Old import path
from dataflow.core.engine import DataFlow       # Old import path
app = Nexus()
db = DataFlow(
    enable_model_persistence=False,             # No longer needed for fast startup
    auto_migrate=False,                         # Was disabled to avoid startup delays
    skip_migration=True,                        # Does not exist as a parameter
    connection_pool_size=50,                    # Wrong parameter name
    enable_metrics=True,                        # Wrong parameter name
    enable_audit_log=True,                      # Wrong parameter name
)
''',
    "production": '''
import os
from nexus import Nexus
from dataflow import DataFlow

def create_production_app():
    # Standard initialization pattern (v0.11.0+)
    app = Nexus(
        api_port=8002,
        mcp_port=3001,
        auto_discovery=False
    )

    db = DataFlow(
        database_url=os.environ["DATABASE_URL"],
        auto_migrate=True,              # Default - works everywhere
        enable_metrics=True,            # Keep monitoring
        enable_caching=True,            # Keep caching
        connection_pool_size=20         # Keep pooling
    )
    return app
''',
    "control migrations manually": '''
from dataflow.core.engine import DataFlow

db = DataFlow(
    database_url="postgresql://user:pass@host:port/db",
    auto_migrate=False,       # Control migrations manually
    skip_migration=True,      # Skip auto-migration for faster startup
    skip_registry=False,      # Keep registry for production features
    enable_model_persistence=True,  # Enable multi-app support
    connection_pool_size=20,
    enable_metrics=True,
    enable_caching=True
)
''',
    "everything on": '''
from nexus import Nexus
from dataflow.core.engine import DataFlow
from kailash.workflow.builder import WorkflowBuilder

# Step 1: Initialize DataFlow FIRST with ALL features
db = DataFlow(
    database_url="postgresql://user:pass@localhost/db",
    
    # FULL FEATURES - These cause the slower startup
    skip_registry=False,              # ✅ Model registry enabled (adds ~5s)
    enable_model_persistence=True,    # ✅ Model persistence (adds ~5s per model)
    auto_migrate=True,                # ✅ Auto-migration (adds ~2-5s)
    skip_migration=False,             # ✅ Migration tracking
    enable_schema_discovery=True,     # ✅ Schema introspection
    
    # Performance features (still fast)
    enable_caching=True,              # ✅ Query caching
    enable_metrics=True,              # ✅ Performance metrics
    connection_pool_size=50,          # ✅ Connection pooling
    
    # Enterprise features (optional, add more time)
    enable_audit_log=True,            # ✅ Audit trail (adds ~2s)
    multi_tenant=True,                # ✅ Multi-tenancy (adds ~2s)
    
    # Monitoring
    monitoring=True,                  # ✅ Performance monitoring
    slow_query_threshold=1.0          # ✅ Slow query detection
)
''',  # noqa: W293 - as it stands there
    "on one line": "db = DataFlow(skip_registry=True, enable_model_persistence=False, echo=True)\n",
}  # fmt: skip

SHOP: Final[Mapping[str, str]] = {
    "shop/__init__.py": '"""A shop."""\n',
    "shop/settings.py": '''"""What differs between the places where the shop runs."""

DATABASE = {
    "database_url": "sqlite:///shop.db",
    "connection_pool_size": 5,  # one each worker
}
ELSEWHERE = dict(skip_migration=True)
''',
    "shop/database.py": '''from dataflow.core.engine import DataFlow

from shop import settings

db = DataFlow(**settings.DATABASE)
''',
    "shop/models.py": '''from typing import Optional

from shop.database import db


@db.model
class Product:
    name: str
    price: float
    note: Optional[str] = None
    stock: int  # after one that has a default
''',
    "shop/reports.py": '''import dataflow.core.engine
from shop.database import db


def open_reports(path, migrate=False):
    """Open the reports, whose tables somebody else makes."""
    return dataflow.core.engine.DataFlow(
        "sqlite:///" + path,
        # whose tables are these?
        skip_migration=not migrate,
        enable_schema_discovery=True,  # goes
    )
''',
    "shop/archive.py": '''import functools
import dataflow.core.engine as engine

open_archive = functools.partial(engine.DataFlow, enable_model_persistence=True, connection_pool_size=2)
''',
    "shop/tenants.py": '''from dataflow import DataFlow


class TenantDatabase(DataFlow):
    def __init__(self, tenant):
        super().__init__(f"sqlite:///{tenant}.db", skip_registry=True, enable_caching=False)


class Plain(DataFlow):
    """Takes what DataFlow takes."""


plain = Plain("sqlite:///plain.db", connection_pool_size=1)
''',
    "shop/unrelated.py": '''class Meter:
    def __init__(self, enable_metrics):
        self.enable_metrics = enable_metrics


meter = Meter(enable_metrics=True)  # a word of its own
''',
    "shop/legacy.py": "# -*- coding: latin-1 -*-\r\nfrom dataflow.core.engine import DataFlow as Caf\xe9\r\n\r\n"
    "legacy = Caf\xe9('sqlite:///l\xe9gacy.db', enable_metrics=False)  # caf\xe9\r\n",
    "main.py": '''"""Run the shop, once."""

import json

from shop.database import db
from shop import archive, legacy, models, reports, tenants, unrelated


def serve():
    from nexus.core import Nexus

    Nexus(title="Shop", auto_discovery=False).start()


if __name__ == "__main__":
    with db, reports.open_reports("reports.db", migrate=True) as kept, tenants.TenantDatabase("acme") as acme:
        created = db.express_sync.create("Product", {"name": "Lamp", "price": 24.5, "stock": 3})
        told = [created["name"], db.options.pool_size, kept.options.migration_enabled, str(acme.url)]
        print(json.dumps([*told, archive.open_archive().options.pool_size]))
''',
}  # fmt: skip
