"""The full-featured configuration of the guides, every policy at once: none of them opens what another one closes."""

from __future__ import annotations

import asyncio
import base64
import contextvars
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import pytest

from dataflow import DataFlow, Encrypted
from dataflow.errors import RecordNotFoundError, TenantRequiredError
from kailash import WorkflowBuilder
from kailash.errors import NotAvailableError, WorkflowExecutionError
from nexus import Nexus

KEY = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def db(database_url: str) -> Iterator[DataFlow]:
    with DataFlow(
        database_url,
        auto_migrate=True,
        pool_size=5,
        cache_enabled=True,
        cache_ttl=3600,
        monitoring=True,
        slow_query_threshold=1.0,
        audit_logging=True,
        multi_tenant=True,
        encryption_key=KEY,
    ) as db:

        @db.model
        class User:
            id: str
            email: Annotated[str, Encrypted(searchable=True)]
            full_name: str | None = None

            __dataflow__ = {"soft_delete": True, "versioned": True}

        yield db


def test_two_tenants_share_nothing_whatever_is_on(db: DataFlow) -> None:
    users = db.express_sync
    with db.tenant("acme"):
        made = users.create("User", {"email": "a@acme.org", "full_name": "$create.id"})
        assert users.read("User", made["id"])["email"] == "a@acme.org"  # type: ignore[index]  # it is there
        assert [each["id"] for each in users.list("User")] == [made["id"]]
    with db.tenant("other"):
        assert users.read("User", made["id"]) is None  # acme's answer is in the cache
        assert users.list("User") == [] and users.count("User") == 0
        assert users.find_one("User", {"email": "a@acme.org"}) is None
        with pytest.raises(RecordNotFoundError):
            users.update("User", made["id"], {"full_name": "stolen"})
        assert users.delete("User", made["id"]) is False
        theirs = users.create("User", {"email": "a@acme.org"})
    with pytest.raises(TenantRequiredError):
        users.list("User")
    with db.tenant("acme"):
        assert users.read("User", made["id"])["full_name"] == "$create.id"  # type: ignore[index]  # as above
        assert users.find_one("User", {"email": "a@acme.org"})["id"] == made["id"]  # type: ignore[index]  # as above
        assert users.delete("User", made["id"]) is True
        assert users.list("User") == [] and users.read("User", made["id"]) is None
    with db.tenant("other"):
        assert [each["id"] for each in users.list("User")] == [theirs["id"]]


def test_all_of_it_is_written_down_and_nothing_secret_is(db: DataFlow) -> None:
    with db.tenant("acme"):
        made = db.express_sync.create("User", {"email": "a@acme.org"})
        db.express_sync.update("User", made["id"], {"full_name": "Ada"})

    entries = [each for each in db.audit.query() if each.model == "User"]

    assert {each.tenant for each in entries} == {"acme"}
    assert {each.operation for each in entries} >= {"create", "update"}
    assert "a@acme.org" not in repr(entries)
    assert db.audit.verify().entries == len(db.audit.query())
    assert "dataflow_" in db.metrics()
    with db.run_store().home.sync().ddl() as connection:
        rows = connection.ask("SELECT * FROM users")
    assert len(rows) == 1 and "a@acme.org" not in repr(rows)


async def test_a_workflow_acts_for_the_tenant_of_the_code_that_runs_it(db: DataFlow) -> None:
    """Blocking and under asyncio, registered or not; and for nobody where nobody is named."""
    app = Nexus(dataflow_integration=db, enable_durability=False)
    workflow = WorkflowBuilder("join")
    workflow.add_node("UserCreateNode", "made", {"email": "{{email}}"})
    app.register("join", workflow)

    with db.tenant("acme"):
        outcomes = [await app.execute_workflow(each, {"email": "a@acme.org"}) for each in ("join", workflow)]
    with db.tenant("other"):
        outcomes.append(await asyncio.to_thread(app.execute_workflow, "join", {"email": "b@other.org"}))

    assert [each["made"]["tenant_id"] for each in outcomes] == ["acme", "acme", "other"]
    with pytest.raises(WorkflowExecutionError, match="no tenant is named"):
        await app.execute_workflow("join", {"email": "c@nobody.org"})


def test_each_option_has_its_effect_with_all_the_others_on(db: DataFlow, caplog: pytest.LogCaptureFixture) -> None:
    """An answer is kept for its time, connections have a limit, what is slow is told, and so is what is asked."""
    now = [0.0]
    db.cache.clock = lambda: now[0]
    with db.tenant("acme"):
        made = db.express_sync.create("User", {"email": "a@acme.org"})
        db.catch_up()
        hits = []
        for moment in (0.0, 3599.0, 3601.0):
            now[0] = moment
            assert db.express_sync.read("User", made["id"]) == made
            hits.append(db.cache.hits)
        with ThreadPoolExecutor(20) as threads:
            asked = [threads.submit(contextvars.copy_context().run, db.express_sync.list, "User") for _ in range(60)]
            assert {len(each.result(60)) for each in asked} == {1}

    assert hits[1:] == [hits[0] + 1, hits[0] + 1]
    pool = re.search(r"^dataflow_pool_connections (\S+)$", db.metrics(), re.MULTILINE)
    assert pool
    assert 1 <= float(pool.group(1)) <= 5 + 5  # pool_size, and as many again while they are in demand
    assert 'dataflow_operation_seconds_count{model="User",operation="create"} 1' in db.metrics()
    assert [each for each in caplog.records if each.name == "dataflow.slow"] == []  # nothing takes a second


@pytest.mark.parametrize("wanted", [{"enable_auth": True}, {"rate_limit": 100}], ids=str)
def test_what_this_version_has_not_is_refused_by_name_and_not_ignored(wanted: dict[str, Any]) -> None:
    with pytest.raises(NotAvailableError, match=next(iter(wanted))):
        Nexus(**wanted)
