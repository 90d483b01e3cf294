"""What is built is the same wherever it is built, says what it is, and works alone."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from releases.made_up import ROOT, Repository

import environments
import promises as book
import wheels

EPOCH = 1_700_000_000  # a second of 2023
ALONE = {
    "kailash-core": (
        ["kailash-core"],
        """
        from kailash import LocalRuntime, WorkflowBuilder
        def double(value: int) -> dict[str, int]:
            return {"value": value * 2}
        workflow = WorkflowBuilder()
        workflow.add_node(double, "twice", {"value": "{{n}}"})
        assert LocalRuntime().execute(workflow.build(), {"n": 4})[0]["twice"] == {"value": 8}
        """,
    ),
    "dataflow": (
        ["kailash-core", "dataflow"],
        """
        from dataflow import DataFlow
        from kailash import LocalRuntime, WorkflowBuilder
        db = DataFlow("sqlite:///:memory:")
        @db.model
        class Product:
            name: str
        workflow = WorkflowBuilder()
        workflow.add_node("ProductCreateNode", "made", {"name": "Lamp"})
        assert LocalRuntime().execute(workflow.build())[0]["made"]["id"] == 1
        assert db.express_sync.list("Product")[0]["name"] == "Lamp"
        """,
    ),
    "nexus": (
        ["kailash-core", "nexus"],
        """
        import json, urllib.request
        from kailash import WorkflowBuilder
        from nexus import Nexus
        def greet(name: str) -> dict[str, str]:
            return {"text": f"Hello {name}"}
        workflow = WorkflowBuilder()
        workflow.add_node(greet, "greet", {"name": "{{name}}"})
        app = Nexus(api_port=0, mcp_port=None, enable_mcp=False, enable_durability=False)
        app.register("greet", workflow)
        app.start(blocking=False)
        body = json.dumps({"inputs": {"name": "Ada"}}).encode()
        kind = {"Content-Type": "application/json"}
        asked = urllib.request.Request(app.api_url + "/workflows/greet/execute", body, kind)
        assert json.load(urllib.request.urlopen(asked))["outputs"]["greet"] == {"text": "Hello Ada"}
        app.stop()
        """,
    ),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheels and source distributions of what is here."""
    folder = tmp_path_factory.mktemp("built")
    for package in book.PACKAGES:
        wheels.build(ROOT / "packages" / package, folder, EPOCH)
    return folder


def wheel_of(folder: Path, package: str) -> Path:
    (path,) = folder.glob(f"{package.replace('-', '_')}-*.whl")
    return path


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


# -- the same bytes


def test_the_same_sources_give_the_same_bytes(built: Path, tmp_path: Path) -> None:
    """Elsewhere, later, with other rights on the files, and in another order on the disk."""
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(ROOT / ".gitignore", tmp_path / "elsewhere")  # a part of source distributions
    for package in book.PACKAGES:
        copy = tmp_path / "elsewhere" / package
        shutil.copytree(
            ROOT / "packages" / package, copy, copy_function=shutil.copy, ignore=shutil.ignore_patterns("__pycache__")
        )
        for path in copy.rglob("*.py"):
            path.chmod(0o666)
        wheels.build(copy, tmp_path / "again", EPOCH)

    assert digests(tmp_path / "again") == digests(built)


def test_a_wheel_of_the_source_distribution_is_the_wheel(built: Path, tmp_path: Path) -> None:
    for archive in built.glob("*.tar.gz"):
        shutil.unpack_archive(archive, tmp_path / "unpacked", filter="data")
    for source in (tmp_path / "unpacked").iterdir():
        wheels.build(source, tmp_path / "again", EPOCH, ["wheel"])

    assert digests(tmp_path / "again") == {name: it for name, it in digests(built).items() if name.endswith(".whl")}


def test_twine_finds_nothing_to_say(built: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "twine", "--no-color", "check", "--strict", *map(str, built.iterdir())],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout
    assert ran.stdout.count("PASSED") == 2 * len(book.PACKAGES)


# -- alone


@pytest.mark.timeout(300)
@pytest.mark.parametrize("package", ALONE)
def test_it_works_alone(package: str, built: Path, tmp_path: Path) -> None:
    """In an environment of its own, with the core and what it declares, and without the others."""
    packages, program = ALONE[package]
    environment = environments.Environment(tmp_path / "environment", Path(sys.executable), environments.SETS["newest"])
    environment.prepare([wheel_of(built, each) for each in packages], ())
    lines = [line.removeprefix(" " * 8) for line in program.splitlines()]
    absent = [name for each, name in book.PACKAGES.items() if each not in packages]
    lines += ["import importlib.util", f"assert not [name for name in {absent} if importlib.util.find_spec(name)]"]
    (tmp_path / "smoke.py").write_text("\n".join(lines))

    ran = subprocess.run(
        [environment.python, "smoke.py"],
        cwd=tmp_path,
        env=environments.clean(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr


def test_what_it_needs_of_others_names_none_of_ours(built: Path) -> None:
    needed = environments.requirements(built.glob("*.whl"))

    assert any(each.startswith("msgspec") for each in needed)
    assert not [each for each in needed if each.startswith(tuple(book.PACKAGES))]


# -- tampered with


def rewritten(wheel: Path, name: str, content: bytes | None, into: Path) -> Path:
    """Return a copy of *wheel* in which one file is another, or is not there."""
    into.mkdir(exist_ok=True)
    copy = into / wheel.name
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(copy, "w") as new:
        for each in old.namelist():
            if each != name:
                new.writestr(each, old.read(each))
        if content is not None:
            new.writestr(name, content)
    return copy


def with_record(wheel: Path, name: str, content: bytes, into: Path) -> Path:
    """Return a copy of *wheel* in which a file is another and RECORD agrees: a careful attacker's."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    with zipfile.ZipFile(wheel) as archive:
        (record,) = (each for each in archive.namelist() if each.endswith("/RECORD"))
        rows = archive.read(record).decode().splitlines()
    kept = [row for row in rows if not row.startswith(f"{name},")]
    forged = "\n".join([*kept, f"{name},sha256={digest},{len(content)}"]) + "\n"
    return rewritten(rewritten(wheel, name, content, into / "a"), record, forged.encode(), into / "b")


def verify(wheel: Path) -> None:
    version = book.present(ROOT, "nexus").version
    wheels.verify(wheel, ROOT / "packages" / "nexus", "nexus", version)


def test_a_wheel_of_these_sources_is_believed(built: Path) -> None:
    verify(wheel_of(built, "nexus"))


@pytest.mark.parametrize("name", ["nexus/app.py", "nexus/extra.py"])
def test_a_wheel_whose_record_is_broken_is_not_believed(built: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(wheels.TamperedError, match=f"{name} is not what RECORD says"):
        verify(rewritten(wheel_of(built, "nexus"), name, b"evil = 1\n", tmp_path))


def test_a_wheel_with_another_module_is_not_believed_although_its_record_holds(built: Path, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    with pytest.raises(wheels.TamperedError, match=r"nexus/app\.py is not what the sources have"):
        verify(with_record(wheel_of(built, "nexus"), "nexus/app.py", b"evil = 1\n", tmp_path / "one"))
    (tmp_path / "two").mkdir()
    with pytest.raises(wheels.TamperedError, match=r"evil\.pth is in the wheel alone"):
        verify(with_record(wheel_of(built, "nexus"), "evil.pth", b"import evil\n", tmp_path / "two"))


@pytest.mark.parametrize(
    ("file", "more", "said"),
    [
        ("METADATA", b"Requires-Dist: evil\n", "METADATA needs other distributions than the sources do"),
        ("entry_points.txt", b"\n[gui_scripts]\nevil = os:abort\n", "entry_points.txt has other programs"),
    ],
)
def test_a_wheel_that_asks_an_installer_for_more_is_not_believed(
    built: Path, tmp_path: Path, file: str, more: bytes, said: str
) -> None:
    wheel = wheel_of(built, "nexus")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(f".dist-info/{file}"))
        content = archive.read(name)
    changed = more + content if file == "METADATA" else content + more  # what follows METADATA's fields is a text

    with pytest.raises(wheels.TamperedError, match=said):
        verify(with_record(wheel, name, changed, tmp_path))


def test_a_wheel_of_something_else_is_not_believed(built: Path, tmp_path: Path) -> None:
    with pytest.raises(wheels.TamperedError, match="has no nexus-"):
        verify(wheel_of(built, "dataflow"))
    (tmp_path / "nexus-1.whl").write_bytes(b"no archive")
    with pytest.raises(wheels.TamperedError, match="cannot be read"):
        verify(tmp_path / "nexus-1.whl")


# -- releases


@pytest.fixture
def released(repository: Repository, tmp_path: Path) -> tuple[Repository, book.Release]:
    """A repository in which the core was released and has moved on."""
    import release  # the tool under test in its own module

    assert release.main(["--root", str(repository.root), "kailash-core", "1.0.0"]) == 0
    repository.change("kailash-core", "later")
    return repository, book.read(repository.root).releases[0]


def test_a_release_is_built_from_its_commit(released: tuple[Repository, book.Release], tmp_path: Path) -> None:
    repository, release = released

    wheel = wheels.released(repository.root, release, tmp_path / "wheels")

    assert "kailash/later.py" not in zipfile.ZipFile(wheel).namelist()
    assert wheels.released(repository.root, release, tmp_path / "wheels") == wheel


def test_a_wheel_that_was_exchanged_since_it_was_built_is_found(
    released: tuple[Repository, book.Release], tmp_path: Path
) -> None:
    repository, release = released
    wheel = wheels.released(repository.root, release, tmp_path / "wheels")
    shutil.copy(rewritten(wheel, "kailash/__init__.py", b"evil = 1\n", tmp_path / "forged"), wheel)

    with pytest.raises(wheels.TamperedError, match="is not what RECORD says"):
        wheels.released(repository.root, release, tmp_path / "wheels")


def test_a_release_whose_commit_is_missing_cannot_be_built(
    released: tuple[Repository, book.Release], tmp_path: Path
) -> None:
    repository, release = released

    with pytest.raises(book.ReleaseError, match="which this clone lacks; `git fetch --unshallow`"):
        wheels.released(repository.root, release._replace(commit="0" * 40), tmp_path / "wheels")


def test_a_shallow_clone_fetches_the_commit_that_it_lacks(
    released: tuple[Repository, book.Release], tmp_path: Path
) -> None:
    repository, release = released
    repository.git("clone", "--quiet", "--depth", "1", repository.root.as_uri(), str(tmp_path / "shallow"))
    assert not book.has_commit(tmp_path / "shallow", release.commit)

    wheel = wheels.released(tmp_path / "shallow", release, tmp_path / "wheels")

    assert wheel.name == "kailash_core-1.0.0-py3-none-any.whl"


def test_a_tag_releases_the_sources_that_it_is_on(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--root", str(repository.root), str(repository.root / "dist")]

    assert wheels.main([*where, "--tag", "nexus-v9.9.9"]) == 1
    assert "the tag nexus-v9.9.9 is on sources that say 1.1.1" in capsys.readouterr().err
    assert wheels.main([*where, "--tag", "nexsus-v1.1.1"]) == 1
    assert "did you mean nexus?" in capsys.readouterr().err
    assert wheels.main([*where, "--tag", "nexus-v1.1.1"]) == 0
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == [
        "nexus-1.1.1-py3-none-any.whl",
        "nexus-1.1.1.tar.gz",
    ]
