"""Schemas that nobody here wrote, found, read and written to.

Django's own applications, the table of Alembic, the sample shop that comes with Pony, the queue of Procrastinate.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from dataflow import DataFlow
from dataflow.errors import DuplicateError
from dataflow.rehearsal import rehearse
from dataflow.schema.classes import classes_of

pytestmark = pytest.mark.timeout(300)

DJANGO = """
import sys
from urllib.parse import unquote, urlsplit
import django
from django.conf import settings
from django.core.management import call_command

url = urlsplit(sys.argv[1])
if url.scheme == "sqlite":
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": url.path[1:]}
else:
    from urllib.parse import parse_qs
    host = parse_qs(url.query).get("host", [url.hostname])[0]
    database = {"ENGINE": "django.db.backends.postgresql", "NAME": url.path[1:], "USER": url.username,
                "PASSWORD": unquote(url.password or ""), "HOST": host, "PORT": url.port or ""}
apps = ["admin", "auth", "contenttypes", "sessions", "sites", "flatpages", "redirects"]
settings.configure(DATABASES={"default": database}, INSTALLED_APPS=[f"django.contrib.{each}" for each in apps],
                   DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", USE_TZ=True, SITE_ID=1)
django.setup()
call_command("migrate", verbosity=0)
from django.contrib.auth.models import Group, User
User.objects.create_user("ann", password="x").groups.add(Group.objects.create(name="staff"))
"""
ALEMBIC = """
import sys
import sqlalchemy as sa
from alembic.migration import MigrationContext

url = sys.argv[1].replace("postgresql://", "postgresql+psycopg2://")
with sa.create_engine(url).begin() as connection:
    context = MigrationContext.configure(connection)
    context._ensure_version_table()
    connection.execute(sa.text("INSERT INTO alembic_version VALUES ('ae1027a6acf')"))
"""
PONY = """
import importlib.util
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

url = urlsplit(sys.argv[1])
if url.scheme == "sqlite":
    words = f"Database('sqlite', {url.path[1:]!r}, create_db=True)"
else:
    from urllib.parse import parse_qs
    host = parse_qs(url.query).get("host", [url.hostname])[0]
    given = dict(user=url.username, password=unquote(url.password or ""), host=host, database=url.path[1:])
    given |= dict(port=url.port) if url.port else {}
    words = f"Database('postgres', **{given!r})"
(folder,) = importlib.util.find_spec("pony.orm").submodule_search_locations
source = (Path(folder) / "examples" / "estore.py").read_text()
program = source.replace('Database("sqlite", "estore.sqlite", create_db=True)', words)
assert program != source
names = {"__name__": "estore"}
exec(compile(program.replace("sql_debug(True)", ""), "estore.py", "exec"), names)
if not names["db_session"](lambda: names["Customer"].select().count())():
    names["populate_database"]()
"""
PONY_TABLES = {
    "sqlite": ("CartItem", "Category", "Category_Product", "Customer", "Order", "OrderItem", "Product"),
    "postgresql": ("cartitem", "category", "category_product", "customer", "order", "orderitem", "product"),
}
TABLES = {
    "AuthGroup", "AuthGroupPermission", "AuthPermission", "AuthUser", "AuthUserGroup", "AuthUserUserPermission",
    "DjangoAdminLog", "DjangoContentType", "DjangoFlatpage", "DjangoFlatpageSite", "DjangoMigration", "DjangoRedirect",
    "DjangoSession", "DjangoSite",
}  # fmt: skip


def make(program: str, url: str) -> None:
    """Let somebody else make tables."""
    done = subprocess.run([sys.executable, "-c", program, url], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def written(url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the module of what is found."""
    with DataFlow(url, existing_schema_mode=True) as db:
        source = db.schema.source(name=db.name)
    monkeypatch.setenv("DATABASE_URL", url)
    path = folder / "found_models.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location("found_models", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "found_models", module)
    spec.loader.exec_module(module)
    return module


def test_the_tables_of_django(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(DJANGO, database_url)
    db: DataFlow = written(database_url, tmp_path, monkeypatch).db

    with db:
        plan, express = db.schema.plan(), db.express_sync
        assert ({*db.list_models()}, [*plan.changes], [*plan.impossible]) == (TABLES, [], [])
        assert (db.schema.differences(), [each for each in db.schema.verify() if each.serious]) == ([], [])

        (link,) = express.list("AuthUserGroup", include="user,group")
        (permission,) = express.list("AuthPermission", {"codename": "add_session"}, include="content_type")
        site = express.create("DjangoSite", {"domain": "example.org", "name": "ours"})
        express.update("AuthUser", link["user_id"], {"is_staff": True})
        express.create("DjangoFlatpageSite", {"flatpage_id": page(db), "site_id": site["id"]})

        assert (link["user"]["username"], link["group"]["name"]) == ("ann", "staff")
        assert permission["content_type"]["model"] == "session"
        assert express.find_one("AuthUser", {"is_staff": True}) == express.read("AuthUser", link["user_id"])
        assert express.count("DjangoMigration") > 10


def page(db: DataFlow) -> int:
    """Store a page; return its id."""
    fields = {"url": "/a/", "title": "A", "content": "", "enable_comments": False, "template_name": "",
              "registration_required": False}  # fmt: skip
    return int(db.express_sync.create("DjangoFlatpage", fields)["id"])


def test_the_table_of_alembic(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(ALEMBIC, database_url)
    db: DataFlow = written(database_url, tmp_path, monkeypatch).db

    with db:
        assert [*db.schema.plan().changes] == []
        assert db.express_sync.list("AlembicVersion") == [{"id": "ae1027a6acf"}]


def test_the_sample_shop_of_pony(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reserved word and mixed case as names of tables, keys of several columns, tables that only join."""
    make(PONY, database_url)
    with DataFlow(database_url, existing_schema_mode=True) as found:
        there, left_out = found.discover_schema(), classes_of(found.discover_schema()).left_out
    assert (*there.tables,) == PONY_TABLES[there.dialect]
    assert {name.lower(): reason for name, reason in left_out.items()} == {
        "category_product": "a primary key of several columns (category, product)",
        "orderitem": "a primary key of several columns (order, product)",
    }
    db: DataFlow = written(database_url, tmp_path, monkeypatch).db

    with db:
        assert ([*db.schema.plan().changes], [*db.schema.plan().impossible], db.schema.differences()) == ([], [], [])
        shop = {model.lower(): model for model in db.list_models()}
        assert {*shop} == {"cartitem", "category", "customer", "order", "product"}
        express = db.express_sync
        (john,) = express.list(shop["customer"], {"email": "john@example.com"})
        before = express.count(shop["order"], {"customer": john["id"]})
        order = express.create(
            shop["order"],
            {"state": "CREATED", "total_price": 12.5, "customer": john["id"], **when(db, shop["order"])},
        )

        assert express.count(shop["order"], {"customer": john["id"]}) == before + 1
        assert express.update(shop["order"], order["id"], {"state": "SHIPPED"})["state"] == "SHIPPED"
        with pytest.raises(DuplicateError):
            express.create(shop["category"], {"name": "Tablets"})
        done = rehearse(db)
        assert [(each.model, each.error, each.untried) for each in done.used if each.error or each.untried] == []


def when(db: DataFlow, model: str) -> dict[str, str]:
    """Return the date of an order, as the database keeps times that have no zone."""
    return {"date_created": "2026-01-02T03:04:05" if "date_created" in db.get_model_fields(model) else ""}


def test_the_queue_of_procrastinate(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Enums, partial and descending indexes, checks, triggers and functions of somebody else's."""
    spec = importlib.util.find_spec("procrastinate")
    assert spec is not None and spec.submodule_search_locations
    (folder,) = spec.submodule_search_locations
    with DataFlow(postgres_url) as owner, owner.connection() as connection:
        connection.ask((Path(folder) / "sql" / "schema.sql").read_text())
    db: DataFlow = written(postgres_url, tmp_path, monkeypatch).db

    with db:
        assert ([*db.schema.plan().changes], [*db.schema.plan().impossible], db.schema.differences()) == ([], [], [])
        assert db.schema.plan().notices == ()
        express = db.express_sync
        job = express.create("ProcrastinateJob", {"queue_name": "mail", "task_name": "send", "args": {"to": "ann"}})
        events = express.list("ProcrastinateEvent", {"job_id": job["id"]})  # a trigger of its own wrote it

        assert (job["queue_name"], job["status"].value, job["args"]) == ("mail", "todo", {"to": "ann"})
        assert [each["type"].value for each in events] == ["deferred"]
