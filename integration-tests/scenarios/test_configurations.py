"""The eight configurations of the guides: what each of their options does, seen, and not only that it is taken.

Sizes and times are smaller than the guides', so that a limit is met within a test.
"""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from scenarios.asking import asked

from dataflow import DataFlow
from dataflow.errors import MigrationLockedError, TenantRequiredError
from dataflow.schema.lock import begin_locked
from kailash import WorkflowBuilder
from kailash.errors import ConfigurationError
from nexus import Nexus

WAIT = 0.2  # seconds in which what must wait would otherwise be done many times over


def user(db: DataFlow, **more: Any) -> None:
    """Declare the users of the guides."""

    @db.model
    class User:
        id: str
        email: str
        name: str | None = None


def gauge(db: DataFlow, name: str) -> float:
    """Return a number of the metrics."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", db.metrics(), re.MULTILINE)
    assert found, name
    return float(found.group(1))


def behind(db: DataFlow, sql: str) -> None:
    """Change the database behind the back of everything."""
    with db.connection() as connection:
        connection.ask(sql)


@pytest.fixture(autouse=True)
def runs_are_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what durable runs write out of the repository."""
    monkeypatch.setenv("KAILASH_RUNS", str(tmp_path / "runs.db"))


def test_1_production_api_server(database_url: str) -> None:
    """`pool_size` is a limit, `monitoring` counts, `cache_enabled` keeps answers."""
    on = {"auto_migrate": True, "monitoring": True, "cache_enabled": True}
    with DataFlow(database_url, pool_size=2, max_overflow=0, **on) as db, ThreadPoolExecutor(1) as another:
        user(db)
        app = Nexus(api_port=8000, mcp_port=3001, auto_discovery=False, dataflow_integration=db)
        (made,) = asked(app, db, ("POST", "/api/users", {"email": "a@x.org"}))
        with db.connection():
            with db.connection():
                waiting = another.submit(db.express_sync.count, "User")
                with pytest.raises(TimeoutError):
                    waiting.result(WAIT)
                assert gauge(db, "dataflow_pool_connections") == 2
            assert waiting.result(30) == 1
        db.catch_up()
        before = gauge(db, "dataflow_cache_hits_total")
        counted = [db.express_sync.count("User") for _ in range(3)]

        assert (made.status_code, counted) == (201, [1, 1, 1])
        assert gauge(db, "dataflow_cache_hits_total") >= before + 2
        assert gauge(db, 'dataflow_operation_seconds_count{model="User",operation="create"}') == 1


def test_1_a_pool_that_is_large_enough_lets_nobody_wait(database_url: str) -> None:
    with DataFlow(database_url, pool_size=4, max_overflow=0, monitoring=True) as db, ThreadPoolExecutor(1) as another:
        user(db)
        with db.connection(), db.connection(), db.connection():
            assert another.submit(db.express_sync.count, "User").result(30) == 0


def test_2_chatbot(database_url: str) -> None:
    """`cache_ttl` is how long an answer is kept, and no longer."""
    now = [0.0]
    with DataFlow(database_url, auto_migrate=True, cache_enabled=True, cache_ttl=3600) as db:
        db.cache.clock = lambda: now[0]

        @db.model
        class Conversation:
            id: str
            user_id: str
            context: str

        @db.model
        class Message:
            id: str
            conversation_id: str
            role: str
            content: str

        talk = db.express_sync.create("Conversation", {"user_id": "u", "context": "before"})
        db.express_sync.create("Message", {"conversation_id": talk["id"], "role": "user", "content": "$talk.id"})

        db.catch_up()
        hits = []
        for moment in (0.0, 3599.0, 3601.0):
            now[0] = moment
            found = db.express_sync.read("Conversation", talk["id"])
            assert found is not None
            assert found["context"] == "before"
            hits.append(db.cache.hits)

        assert hits == [0, 1, 1]  # read, kept, and read anew
        assert [each["content"] for each in db.express_sync.list("Message")] == ["$talk.id"]


def test_3_admin_dashboard(database_url: str) -> None:
    """`audit_logging` writes down who did what by which channel, `monitoring` how often."""
    with DataFlow(database_url, auto_migrate=True, audit_logging=True, monitoring=True) as db:

        @db.model
        class AdminUser:
            id: str
            email: str
            role: str
            permissions: str | None = None

        app = Nexus(api_port=8000, mcp_port=3001, auto_discovery=False, dataflow_integration=db)
        (made,) = asked(app, db, ("POST", "/api/admin_users", {"email": "a@x.org", "role": "reader"}))
        path = f"/api/admin_users/{made.json()['id']}"
        asked(app, db, ("PATCH", path, {"role": "owner"}), ("DELETE", path, None))
        db.express_sync.create("AdminUser", {"email": "b@x.org", "role": "reader"})

        entries = [*reversed(db.audit.query())]

        assert [(each.operation, each.channel) for each in entries] == [
            ("create", "rest"), ("update", "rest"), ("delete", "rest"), ("create", "python"),
        ]  # fmt: skip
        assert [(each.before or {}).get("role") for each in entries] == [None, "reader", "owner", None]
        assert all(each.request_id for each in entries[:3])
        assert db.audit.verify().entries == 4
        assert gauge(db, 'dataflow_operation_seconds_count{model="AdminUser",operation="delete"}') == 1


@pytest.mark.parametrize("durable", [True, False])
def test_4_microservices(database_url: str, durable: bool) -> None:
    """`monitoring=False` measures nothing, `cache_enabled=False` keeps nothing, `enable_durability=False` no runs."""
    with DataFlow(database_url, auto_migrate=True, pool_size=5, monitoring=False, cache_enabled=False) as db:

        @db.model
        class OrderItem:
            id: str
            product_id: str
            quantity: int
            price: float

        app = Nexus(
            api_port=8000, mcp_port=3001, auto_discovery=False, enable_durability=durable, dataflow_integration=db
        )
        order = WorkflowBuilder()
        order.add_node("OrderItemCreateNode", "made", {"product_id": "p", "quantity": 1, "price": 2.5})
        app.register("order", order)
        run: tuple[str, str, Any] = ("POST", "/workflows/order/execute", {"inputs": {}})
        once, again = asked(app, db, run, run, **{"idempotency-key": "k-1"})

        assert (once.status_code, again.status_code) == (200, 200)
        assert db.express_sync.count("OrderItem") == (1 if durable else 2)
        behind(db, "DELETE FROM order_items")
        assert db.express_sync.count("OrderItem") == 0  # nothing was kept
        with pytest.raises(ConfigurationError, match="nothing is measured"):
            db.metrics()


def test_5_data_migration(database_url: str) -> None:
    """`migration_lock_timeout` is how long another process that migrates is waited for."""

    def etl(timeout: float) -> DataFlow:
        db = DataFlow(database_url, auto_migrate=True, migration_lock_timeout=timeout)

        @db.model
        class SourceData:
            id: str
            legacy_id: str | None = None
            data: str

        @db.model
        class TargetData:
            id: str
            source_id: str
            transformed_data: str

        return db

    with DataFlow(database_url) as holder, etl(WAIT) as hasty, etl(60) as patient, ThreadPoolExecutor(1) as another:
        with holder.connection() as connection:
            begin_locked(connection, 5)
            with pytest.raises(MigrationLockedError):
                hasty.prepare()
            waiting = another.submit(patient.express_sync.create, "SourceData", {"data": "x"})
            with pytest.raises(TimeoutError):
                waiting.result(WAIT)
        source = waiting.result(60)

        patient.express_sync.create("TargetData", {"source_id": source["id"], "transformed_data": "X"})
        assert hasty.express_sync.count("TargetData") == 1


def test_6_development(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """`echo` logs statements and `debug` operations, neither of them a value; the file is here."""
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.INFO)
    with DataFlow(database_url="sqlite:///dev.db", auto_migrate=True, echo=True, debug=True) as db:

        @db.model
        class TestModel:
            id: str
            name: str
            debug_data: str | None = None

        db.express_sync.create("TestModel", {"name": "hunter2"})
        db.express_sync.list("TestModel", {"name": "hunter2"})

    statements = [each.getMessage() for each in caplog.records if each.name == "dataflow.sql"]
    operations = [each.getMessage() for each in caplog.records if each.name == "dataflow.operations"]
    assert (tmp_path / "dev.db").exists()
    assert any("INSERT INTO test_models" in each for each in statements)
    assert [each.split(" took ")[0] for each in operations] == [
        "create of TestModel",
        "list of TestModel where name eq",
    ]
    assert "hunter2" not in caplog.text


def test_7_multi_tenant_saas(database_url: str) -> None:
    """`multi_tenant` keeps apart what one database holds, whichever application asks."""
    with DataFlow(database_url, auto_migrate=True, multi_tenant=True) as db:

        @db.model
        class TenantData:
            id: str
            tenant_id: str
            data: str

        def create_tenant_app(tenant: str) -> Nexus:
            app = Nexus(api_port=8000, mcp_port=3001, auto_discovery=False, dataflow_integration=db)
            db.set_tenant(tenant)
            return app

        ids = {}
        try:
            for tenant in ("acme", "globex"):
                app = create_tenant_app(tenant)
                (made,) = asked(app, db, ("POST", "/api/tenant_data", {"data": f"of {tenant}"}))
                assert (made.status_code, made.json()["tenant_id"]) == (201, tenant)
                ids[tenant] = made.json()["id"]
            listed, foreign, stolen = asked(
                app, db, ("GET", "/api/tenant_data", None), ("GET", f"/api/tenant_data/{ids['acme']}", None),
                ("PATCH", f"/api/tenant_data/{ids['acme']}", {"data": "stolen"}),
            )  # fmt: skip
        finally:
            db.set_tenant(None)

        assert [each["data"] for each in listed.json()["items"]] == ["of globex"]
        assert (foreign.status_code, stolen.status_code) == (404, 404)
        with pytest.raises(TenantRequiredError):
            db.express_sync.list("TenantData")
        with db.tenant("acme"):
            assert [each["data"] for each in db.express_sync.list("TenantData")] == ["of acme"]


PIPELINE = """
import sys
sys.path[:0] = {path!r}
import pytest
from dataflow import DataFlow

db = DataFlow("sqlite:///:memory:", auto_migrate=True, tdd_mode=True, test_mode=True)

@db.model
class TestEntity:
    __test__ = False
    id: str
    test_value: str
    test_flag: bool = False

@pytest.mark.parametrize("number", range(3))
def test_nothing_is_left_of_the_one_before(number):
    assert db.express_sync.count("TestEntity") == 0
    made = db.express_sync.create("TestEntity", {{"test_value": "x"}})
    assert made["test_flag"] is False
"""


def test_8_ci_pipeline(tmp_path: Path) -> None:
    """`tdd_mode` and `test_mode` undo what a test writes."""
    (tmp_path / "test_entities.py").write_text(PIPELINE.format(path=sys.path))

    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert "3 passed" in run.stdout, run.stdout + run.stderr
    assert [*tmp_path.glob("*.db")] == []


def test_slow_operations_are_told_by_their_shape(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """`slow_query_threshold`, of the guides' troubleshooting: what takes as long is a warning and a number."""
    with DataFlow(database_url, monitoring=True, slow_query_threshold=1e-9) as slow:
        user(slow)
        slow.express_sync.list("User", {"email": "a@x.org"})
        told = [each.getMessage().split(" took ")[0] for each in caplog.records if each.name == "dataflow.slow"]
        assert told == ["list of User where email eq"]
        assert gauge(slow, 'dataflow_slow_operations_total{model="User",operation="list"}') == 1
    caplog.clear()
    with DataFlow(database_url, monitoring=True) as usual:
        user(usual)
        usual.express_sync.list("User", {"email": "a@x.org"})
        assert [each for each in caplog.records if each.name == "dataflow.slow"] == []
