"""Schemas that nobody here wrote: Django's own applications, and the table of Alembic; found, read, written to."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from dataflow import DataFlow

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
