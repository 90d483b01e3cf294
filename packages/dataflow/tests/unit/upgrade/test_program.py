"""`dataflow upgrade` on files: a shop of ten, and what can be wrong with a file."""

from __future__ import annotations

import json
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from dataflow.cli import app
from dataflow.upgrade import files
from suites.older_programs import SHOP

LATIN = {"shop/legacy.py"}
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shop of ten files, in the working folder."""
    for name, text in SHOP.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode("latin-1" if name in LATIN else "utf-8"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in SHOP}


def _run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words, "main.py"], cwd=folder, capture_output=True, text=True, check=False)


def test_a_difference_is_shown_and_nothing_is_written(shop: Path, capsys: Captured) -> None:
    before = _contents(shop)

    assert app.run(["upgrade", "."]) == 0
    shown = capsys.readouterr()
    assert "-    return dataflow.core.engine.DataFlow(\n+    return dataflow.DataFlow(\n" in shown.out
    assert "10 files looked at; 6 to bring up to date" in shown.err
    assert _contents(shop) == before


def test_the_difference_can_be_applied(shop: Path, capsys: Captured) -> None:
    (shop / "shop" / "legacy.py").unlink()  # a difference is UTF-8
    (shop / "endless.py").write_text("from nexus.core import Nexus")  # no end of its last line
    app.run(["upgrade", "."])
    difference = capsys.readouterr().out
    subprocess.run(["git", "apply", "-"], input=difference, text=True, cwd=shop, check=True)

    assert app.run(["upgrade", "."]) == 0
    assert capsys.readouterr().out == ""


def test_a_shop_runs_as_before_and_without_a_warning(shop: Path, capsys: Captured) -> None:
    before = _run(shop)
    assert _run(shop, "-W", "error::DeprecationWarning").returncode != 0

    assert app.run(["upgrade", ".", "--write"]) == 0
    told = capsys.readouterr().err
    assert "shop/database.py:5: to decide: the keywords of DataFlow come from **settings.DATABASE" in told
    assert "shop/settings.py:5: to decide: the text 'connection_pool_size'" in told
    settings = shop / "shop" / "settings.py"
    settings.write_text(settings.read_text().replace("connection_pool_size", "pool_size"))
    (shop / "shop.db").unlink()
    after = _run(shop, "-W", "error::DeprecationWarning")

    assert before.returncode == 0, before.stderr
    assert after.stdout == before.stdout
    assert json.loads(after.stdout) == ["Lamp", 5, True, "sqlite:///acme.db", 2]


def test_what_is_current_or_not_ours_keeps_every_byte(shop: Path, capsys: Captured) -> None:
    before = _contents(shop)
    app.run(["upgrade", ".", "--write"])
    after = _contents(shop)

    assert {name for name in SHOP if before[name] == after[name]} == {
        "shop/__init__.py",
        "shop/models.py",
        "shop/settings.py",
        "shop/unrelated.py",
    }


def test_the_encoding_and_the_ends_of_lines_stay(shop: Path) -> None:
    app.run(["upgrade", "shop/legacy.py", "--write"])

    assert (shop / "shop" / "legacy.py").read_bytes() == (
        b"# -*- coding: latin-1 -*-\r\nfrom dataflow import DataFlow as Caf\xe9\r\n\r\n"
        b"legacy = Caf\xe9('sqlite:///l\xe9gacy.db', monitoring=False)  # caf\xe9\r\n"
    )


def test_a_byte_order_mark_stays(tmp_path: Path) -> None:
    path = tmp_path / "marked.py"
    path.write_bytes(b"\xef\xbb\xbffrom nexus.core import Nexus\n")
    app.run(["upgrade", str(path), "--write"])

    assert path.read_bytes() == b"\xef\xbb\xbffrom nexus import Nexus\n"


def test_a_second_time_changes_nothing(shop: Path, capsys: Captured) -> None:
    app.run(["upgrade", ".", "--write"])
    before = _contents(shop)
    capsys.readouterr()
    app.run(["upgrade", ".", "--write"])

    assert "0 brought up to date" in capsys.readouterr().err
    assert _contents(shop) == before


def test_a_file_keeps_its_rights_and_a_link_stays_a_link(shop: Path) -> None:
    path, link = shop / "main.py", shop / "link.py"
    path.chmod(0o750)
    link.symlink_to(path)
    app.run(["upgrade", "link.py", "--write"])

    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o750
    assert "from nexus import Nexus" in path.read_text()


def test_check_ends_with_1_until_there_is_nothing_to_do(shop: Path) -> None:
    assert app.run(["upgrade", "main.py", "--check"]) == 1
    app.run(["upgrade", "main.py", "--write"])

    assert app.run(["upgrade", "main.py", "--check"]) == 0


def test_json_tells_all_of_it(shop: Path, capsys: Captured) -> None:
    assert app.run(["upgrade", ".", "--output", "json"]) == 0

    told = json.loads(capsys.readouterr().out)
    assert told["looked_at"] == 10
    assert told["written"] is False
    found = {each["path"]: each for each in told["files"]}
    assert found["main.py"]["changes"] == [{"line": 10, "message": "nexus.core.Nexus is now nexus.Nexus"}]
    assert found["shop/database.py"]["undecided"][0]["line"] == 5
    assert {"shop/settings.py"} <= {each["path"] for each in told["mentions"]}


def test_a_file_that_cannot_be_read_is_told_and_the_others_go_on(shop: Path, capsys: Captured) -> None:
    (shop / "broken.py").write_text("from nexus.core import (\n")
    (shop / "bytes.py").write_bytes(b"# nexus \xff\xfe\n")

    assert app.run(["upgrade", ".", "--write"]) == 1
    told = capsys.readouterr().err
    assert "broken.py: is no Python that can be parsed" in told
    assert "bytes.py: is not text of the encoding that it declares" in told
    assert "from nexus import Nexus" in (shop / "main.py").read_text()


def test_a_path_that_is_not_there_is_refused_before_anything_is_written(shop: Path, capsys: Captured) -> None:
    before = _contents(shop)

    assert app.run(["upgrade", ".", "nowhere", "--write"]) == 2
    assert "no file or folder 'nowhere'" in capsys.readouterr().err
    assert _contents(shop) == before


def test_a_file_that_cannot_be_written_is_an_error_that_names_it(shop: Path, capsys: Captured) -> None:
    before, limits = _contents(shop), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))  # as on a full disk; root is told so as well
    try:
        assert app.run(["upgrade", "shop/legacy.py", "--write"]) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert _contents(shop) == before
    assert "shop/legacy.py cannot be written" in capsys.readouterr().err


def test_folders_that_are_not_the_programs_own_are_left_out(shop: Path) -> None:
    for name in (".venv", "node_modules", "shop/__pycache__", "build"):
        (shop / name).mkdir()
        (shop / name / "theirs.py").write_text("from nexus.core import Nexus\n")

    assert {path.as_posix() for path in files.python_files([Path()])} == {*SHOP}


@pytest.mark.parametrize(
    "text",
    [
        "from nexus.core import Nexus\n",
        "import dataflow . core . engine\n",
        "from nexus import (\n    core,\n)\n",
        "from dataflow import *\nDataFlow(**given)\n",
        "make(skip_registry=True)\n",
    ],
)
def test_a_file_that_says_anything_older_is_parsed(text: str, tmp_path: Path) -> None:
    (tmp_path / "older.py").write_text(text)
    seen = files.look(tmp_path / "older.py")

    assert seen.changed or seen.became.undecided or seen.became.mentions


def test_a_file_that_says_nothing_older_is_not_even_parsed(tmp_path: Path) -> None:
    (tmp_path / "current.py").write_text("from nexus import Nexus\nthis is no Python\n")

    assert not files.look(tmp_path / "current.py").fault


def test_without_libcst_the_error_names_the_extra(shop: Path) -> None:
    """In a process where it cannot be imported."""
    without = (
        "import sys; sys.modules['libcst'] = None\nfrom dataflow.cli import app\nsys.exit(app.run(['upgrade', '.']))"
    )
    run = subprocess.run([sys.executable, "-c", without], capture_output=True, text=True, check=False)

    assert run.returncode == 8
    assert "LibCST, which is not installed" in run.stderr
    assert "upgrade" in run.stderr.partition("hint:")[2]
    assert run.stdout == ""
