from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from nexus.channels.cli import locate
from nexus.channels.cli.locate import NoApplicationError, Place, UnusableApplicationError

PLAIN = "from nexus import Nexus\napp = Nexus()\n"

pytestmark = pytest.mark.usefixtures("imports_are_forgotten")


def folder_with(tmp_path: Path, **files: str) -> Path:
    tmp_path.mkdir(exist_ok=True)
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("source", "names"),
    [
        (PLAIN, ["app"]),
        ("import nexus\nshop = nexus.Nexus(title='x')\n", ["shop"]),
        ("import nexus as n\nshop: object = n.Nexus()\n", ["shop"]),
        ("from nexus import Nexus as N\na = b = N()\n", ["a", "b"]),
        ("from nexus.core import Nexus\nnexus = Nexus()\n", ["nexus"]),
        ("from nexus import Nexus\ntry:\n    app = Nexus()\nexcept ValueError:\n    pass\n", ["app"]),
        ("from nexus import Nexus\nif __name__ == '__main__':\n    app = Nexus()\n", []),
        ("from nexus import Nexus\ndef make():\n    app = Nexus()\n", []),
        ("from other import Nexus\napp = Nexus()\n", []),
    ],
)
def test_applications_are_found_by_parsing(source: str, names: list[str]) -> None:
    assert names == locate.assigned(ast.parse(source))


def test_the_flag_comes_before_the_environment_and_that_before_the_files(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, app=PLAIN)
    environ = {"NEXUS_APP": "c:d"}

    assert Place("a", "b", "--app") == locate.find("a:b", environ, folder)
    assert Place("c", "d", "NEXUS_APP") == locate.find(None, environ, folder)
    assert Place("app", "app", "app.py") == locate.find(None, {}, folder)
    (folder / "pyproject.toml").write_text('[tool.nexus]\napp = "e.f:g"\n')
    assert Place("e.f", "g", "pyproject.toml") == locate.find(None, {}, folder)


def test_a_file_may_be_named_and_the_attribute_left_out(tmp_path: Path) -> None:
    assert ((place := locate.find("shop/web.py", {}, tmp_path)).module, place.attribute) == ("shop.web", "app")


def test_nothing_here_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(NoApplicationError, match="no application found here"):
        locate.find(None, {}, tmp_path)


def test_two_applications_are_listed(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, app=PLAIN, main=PLAIN.replace("app", "shop"))

    with pytest.raises(NoApplicationError, match="app:app, main:shop"):
        locate.find(None, {}, folder)


def test_a_file_that_cannot_be_parsed_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnusableApplicationError, match=r"app\.py cannot be parsed"):
        locate.find(None, {}, folder_with(tmp_path, app="def ("))


@pytest.mark.parametrize(
    "ending",
    [
        "app.start()",
        "app.start(blocking=True)",
        "if True:\n    app.start()",
        "try:\n    app.start()\nfinally:\n    pass",
    ],
)
def test_a_program_that_starts_its_server_is_loaded_without_starting_it(tmp_path: Path, ending: str) -> None:
    folder = folder_with(tmp_path, app=f"{PLAIN}app.start = lambda **how: 1 / 0\n{ending}\nafter = True\n")

    locate.load(locate.find(None, {}, folder), folder)

    assert sys.modules["app"].after


def test_other_things_that_start_are_started(tmp_path: Path) -> None:
    others = "class Thread:\n    def start(self): self.started = True\nthread = Thread()\nthread.start()\n"
    folder = folder_with(tmp_path, app=PLAIN + others)

    locate.load(locate.find(None, {}, folder), folder)

    assert sys.modules["app"].thread.started


def test_no_bytecode_is_kept_of_a_program_without_its_last_line(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, app=PLAIN + "app.start()\n")

    locate.load(locate.find(None, {}, folder), folder)

    assert list(tmp_path.rglob("*.pyc")) == []


def test_an_application_made_by_a_function_of_the_program_is_found(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, app="from nexus import Nexus\ndef make():\n    return Nexus()\napp = make()\n")

    assert locate.load(locate.find(None, {}, folder), folder) is sys.modules["app"].app


def test_a_function_that_makes_an_application_may_be_named(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, factory="from nexus import Nexus\ndef make():\n    return Nexus(title='made')\n")

    assert locate.load(locate.find("factory:make", {}, folder), folder).options.title == "made"


def test_a_module_in_a_package_is_loaded(tmp_path: Path) -> None:
    folder_with(tmp_path / "storefront", __init__="", web=PLAIN + "app.start()\n")
    folder = tmp_path

    assert locate.load(locate.find("storefront.web:app", {}, folder), folder) is sys.modules["storefront.web"].app


@pytest.mark.parametrize(
    ("named", "source", "said"),
    [
        ("absent:app", "", "there is no module 'absent' here"),
        ("broken:app", "import nowhere_to_be_found\n", "needs 'nowhere_to_be_found', which is not installed"),
        ("broken:app", "\n\n1 / 0\n", r"'broken' fails on import \(line 3\): ZeroDivisionError"),
        ("broken:app", "raise SystemExit(3)\n", "'broken' fails on import"),
        ("broken:app", "x = 1\n", "has no attribute 'app'"),
        ("broken:x", "x = 1\n", "is no Nexus but a int"),
        (":app", "", "is no application"),
    ],
)
def test_an_application_that_cannot_be_used_is_a_sentence(tmp_path: Path, named: str, source: str, said: str) -> None:
    folder = folder_with(tmp_path, broken=source)

    with pytest.raises(UnusableApplicationError, match=said):
        locate.load(locate.find(named, {}, folder), folder)


@pytest.mark.parametrize("spelled", ["{}/elsewhere.py:shop", "{}/elsewhere:shop", "../other/elsewhere.py:shop"])
def test_a_file_elsewhere_is_named_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelled: str) -> None:
    other = folder_with(tmp_path / "other", elsewhere="from nexus import Nexus\nshop = Nexus(title='Elsewhere')\n")
    here = folder_with(tmp_path / "here")
    monkeypatch.chdir(here)

    application = locate.load(locate.find(spelled.format(other), {}, here), here)

    assert application.options.title == "Elsewhere"


def test_a_file_below_this_folder_is_a_module_of_it(tmp_path: Path) -> None:
    assert locate.find("./shop/app.py:nexus", {}, tmp_path) == Place("shop.app", "nexus", "--app")
