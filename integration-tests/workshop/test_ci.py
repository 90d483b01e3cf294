"""What CI runs is pinned, may do little, and is what there is to run."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
DEPENDABOT = ROOT / ".github" / "dependabot.yml"
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
TOX = re.compile(r"tox run (?:--\S+ )*-e ([\w,-]+)")


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def file(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def jobs(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text())["jobs"]
    return found


def steps(file: Path) -> Iterator[dict[str, Any]]:
    for job in jobs(file).values():
        yield from job["steps"]


def said_by(*words: str | Path) -> tuple[int, str]:
    """Return the exit code of a program of this environment, and what it says."""
    program, *rest = words
    ran = subprocess.run(
        [Path(sys.executable).with_name(str(program)), *rest], capture_output=True, text=True, check=False
    )
    return ran.returncode, ran.stdout + ran.stderr


def test_an_auditor_has_nothing_to_say() -> None:
    code, said = said_by("zizmor", "--offline", "--persona=pedantic", "--min-severity=low", ROOT / ".github")

    assert code == 0, said


def test_an_auditor_hears_of_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / ".github" / "workflows" / "loose.yml"
    path.parent.mkdir(parents=True)
    path.write_text((ROOT / ".github" / "workflows" / "ci.yml").read_text().replace("permissions: {}", ""))

    code, said = said_by("zizmor", "--offline", "--persona=pedantic", "--min-severity=low", tmp_path)

    assert code != 0
    assert "excessive-permissions" in said


@pytest.mark.parametrize(("schema", "files"), [("github-workflows", FILES), ("dependabot", [DEPENDABOT])])
def test_the_files_are_what_their_schema_says(schema: str, files: list[Path]) -> None:
    code, said = said_by("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files)

    assert code == 0, said


def test_there_is_a_workflow_for_each_purpose() -> None:
    assert {path.stem for path in FILES} == {"bench", "ci", "compat", "nightly", "release"}


def test_every_action_is_pinned_by_commit_with_its_version_beside_it(file: Path) -> None:
    lines = [line.strip().removeprefix("- ") for line in file.read_text().splitlines() if "uses:" in line]

    assert lines
    assert [line for line in lines if not PINNED.fullmatch(line)] == []


def test_nothing_may_be_done_that_no_job_asks_for(file: Path) -> None:
    assert yaml.safe_load(file.read_text())["permissions"] == {}
    for name, job in jobs(file).items():
        assert "timeout-minutes" in job, name
        written = {what for what, right in job["permissions"].items() if right != "read"}
        assert written <= ({"id-token", "attestations"} if (file.stem, name) == ("release", "attest") else set()), name


def test_who_may_sign_runs_no_code_of_the_repository() -> None:
    signing = jobs(ROOT / ".github" / "workflows" / "release.yml")["attest"]

    assert all("run" not in step for step in signing["steps"])


def test_no_credentials_stay_in_a_checkout(file: Path) -> None:
    for step in steps(file):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_no_command_is_put_together_from_what_others_write(file: Path) -> None:
    """Expressions reach a shell as environment variables; a pull request's code never meets secrets."""
    assert [step["run"] for step in steps(file) if "${{" in step.get("run", "")] == []
    assert "pull_request_target" not in file.read_text()
    assert "secrets." not in file.read_text()


def test_what_builds_releases_has_the_whole_history(file: Path) -> None:
    needs_it = ("compat", "bench-compare", "tools/compat.py", "tools/wheels.py", ".ci/run", "-e integration")
    for name, job in jobs(file).items():
        commands = " ".join(step.get("run", "") for step in job["steps"])
        if any(word in commands for word in needs_it):
            (checkout,) = [each for each in job["steps"] if each.get("uses", "").startswith("actions/checkout@")]
            assert checkout["with"].get("fetch-depth") == 0, name


def test_every_environment_that_is_run_is_one_of_tox(file: Path) -> None:
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini")
    known = {section.removeprefix("testenv:") for section in tox.sections()}
    for step in steps(file):
        for names in TOX.findall(step.get("run", "")):
            assert set(names.split(",")) <= known
