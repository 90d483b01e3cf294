"""The reference is complete: what the code has, the pages name."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

import click
import pytest
from starlette.testclient import TestClient

import reference
from dataflow import DataFlow
from dataflow import options as dataflow_options
from dataflow.cli import app as dataflow_program
from dataflow.cli import desk as dataflow_desk
from dataflow.express import Express
from dataflow.operations import values as ops
from kailash import WorkflowBuilder
from kailash.conditions import OPERATORS
from nexus import Nexus
from nexus import options as nexus_options
from nexus.channels.cli import app as nexus_program
from nexus.channels.cli import commands as nexus_commands
from nexus.channels.cli.verbs import VERBS
from nexus.channels.rest.params import RESERVED

REFERENCE = Path(__file__).parent / "reference"
METHODS = {"get", "post", "put", "patch", "delete"}
DATAFLOW_PAGES = ("dataflow-cli.md", "../how-to/audit.md", "../how-to/migrate/upgrade.md", "../how-to/encryption.md")
OPERATIONS = typing.get_args(ops.Operation)


def _page(name: str) -> str:
    return (REFERENCE / name).read_text()


def _said(page: str) -> set[str]:
    """Return the words that *page* sets in code, alone or within something longer."""
    fenced = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    return {word for code in re.findall(r"`([^`]+)`", fenced) for word in re.findall(r"[$\w-]+", code)}


@pytest.mark.parametrize(
    "option",
    [*dataflow_options.Options.__struct_fields__, *dataflow_options.RENAMED, *dataflow_options.NEEDLESS],
)
def test_every_option_of_dataflow_is_documented(option: str) -> None:
    section = _page("options.md").partition("## DataFlow")[2].partition("## Nexus")[0]

    assert option in _said(section)


@pytest.mark.parametrize(
    "option", sorted({*nexus_options.KEYWORDS, *nexus_options.NOT_YET, *nexus_options.HARMLESS, "dataflow_integration"})
)
def test_every_option_of_nexus_is_documented(option: str) -> None:
    assert option in _said(_page("options.md").partition("## Nexus")[2])


@pytest.mark.parametrize(
    "key",
    sorted(
        {*nexus_options.CONFIG, *nexus_options.CONFIG_NOT_YET, *nexus_options.ALWAYS, *nexus_options.NESTED}
        | set(nexus_options.AGENT_KEYS)
    ),
)
def test_every_key_of_dataflow_config_is_documented(key: str) -> None:
    assert key in _said(_page("options.md").partition("### dataflow_config")[2])


def test_no_option_is_documented_that_there_is_not() -> None:
    tables = _page("options.md").partition("### Older names")[0]
    named = {word for row in re.findall(r"^\| (`.*?`) \|", tables, re.MULTILINE) for word in re.findall(r"\w+", row)}

    assert named == set(dataflow_options.Options.__struct_fields__)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.__name__)
def test_every_operation_is_documented(operation: type) -> None:
    assert f"| `{operation.__name__}` |" in _page("operations.md")


@pytest.mark.parametrize("method", [name for name in vars(Express) if not name.startswith("_")])
def test_every_direct_call_is_documented(method: str) -> None:
    assert method in _said(_page("operations.md"))


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_filter_operator_is_documented(operator: str) -> None:
    assert {f"${operator}", f"note__{operator}"} & _said(_page("filters.md"))


@pytest.mark.parametrize("word", RESERVED)
def test_every_word_of_a_query_string_is_documented(word: str) -> None:
    assert word in _said(_page("http.md"))


@pytest.mark.parametrize("verb", VERBS.values(), ids=lambda verb: verb.word)
def test_every_verb_of_the_command_line_is_documented(verb: object) -> None:
    assert f"`nexus products {verb.word} " in _page("cli.md")  # type: ignore[attr-defined]


def _words(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield ``audit verify`` and its command, for every command below *group*."""
    context = click.Context(group, resilient_parsing=True)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _words(command, f"{before}{word} ")
        else:
            yield f"{before}{word}", command


def _own_flags(command: click.Command, shared: Iterable[click.Parameter]) -> set[str]:
    known = {flag for option in shared for flag in option.opts}
    return {option.opts[0] for option in command.params if isinstance(option, click.Option)} - known


DATAFLOW = dict(_words(dataflow_program.program()))
NEXUS = {word: command for word, command in nexus_program.program().commands.items() if word != "model"}


@pytest.mark.parametrize("words", DATAFLOW)
def test_every_command_of_dataflow_is_documented(words: str) -> None:
    assert re.search(rf"`dataflow {words}\b", _page("dataflow-cli.md"))


@pytest.mark.parametrize("words", DATAFLOW)
def test_every_flag_of_dataflow_is_documented(words: str) -> None:
    flags = _own_flags(DATAFLOW[words], dataflow_desk.settings())

    assert {flag for flag in flags if flag not in "".join(map(_page, DATAFLOW_PAGES))} == set()


@pytest.mark.parametrize("word", [*NEXUS, "model"])
def test_every_program_of_nexus_is_documented(word: str) -> None:
    assert re.search(rf"`nexus {word}\b", _page("cli.md"))


@pytest.mark.parametrize("word", NEXUS)
def test_every_flag_of_a_program_of_nexus_is_documented(word: str) -> None:
    flags = _own_flags(NEXUS[word], nexus_commands.settings())

    assert {flag for flag in flags if flag not in _page("cli.md")} == set()


@pytest.mark.parametrize("setting", nexus_commands.settings(), ids=lambda option: option.opts[0])
def test_every_setting_of_the_command_line_is_documented(setting: click.Option) -> None:
    assert setting.opts[0] in _page("cli.md")


@pytest.fixture(scope="module")
def served() -> Iterator[TestClient]:
    """An application with a model of every policy that has routes, and a workflow."""
    with DataFlow("sqlite:///:memory:") as db:

        @db.model
        class Product:
            name: str

            __dataflow__: ClassVar = {"versioned": True, "soft_delete": True}

        application = Nexus(dataflow_integration=db)
        workflow = WorkflowBuilder()
        workflow.add_node("ProductListNode", "all")
        application.register("all", workflow)
        yield TestClient(application.asgi)


@pytest.fixture(scope="module")
def offered(served: TestClient) -> set[tuple[str, str]]:
    """The method and the path of every route that OpenAPI describes, the workflow's as any workflow's."""
    described = served.get("/openapi.json").json()["paths"].items()
    named = [(path.replace("/workflows/all/", "/workflows/{name}/"), item) for path, item in described]
    return {(method.upper(), path) for path, item in named for method in item if method in METHODS}


def _documented() -> set[tuple[str, str]]:
    """Return the routes that the page names, spelled as OpenAPI does."""
    said = re.findall(r"`(GET|POST|PUT|PATCH|DELETE) (/[^`?]*)", _page("http.md"))
    return {(method, path.replace("/api/products/7", "/api/products/{id}")) for method, path in said}


def test_every_route_is_documented(offered: set[tuple[str, str]]) -> None:
    assert offered - _documented() == set()


def test_no_route_is_documented_that_there_is_not(offered: set[tuple[str, str]], served: TestClient) -> None:
    besides = _documented() - offered  # what OpenAPI does not describe: itself, health, lists of workflows

    assert {method for method, _ in besides} == {"GET"}
    assert [path for _, path in besides if served.get(path).status_code == 404] == []


def test_the_table_of_errors_is_what_the_code_says() -> None:
    page = _page("errors.md")

    assert reference.written(page, "errors", reference.errors_table()) == page, "run: python tools/reference.py"


def test_the_list_of_nodes_is_what_the_code_says() -> None:
    page = _page("nodes.md")

    assert reference.written(page, "nodes", reference.nodes_list()) == page, "run: python tools/reference.py"


def test_every_node_of_transactions_is_listed() -> None:
    with DataFlow("sqlite:///:memory:") as db:
        offered = {name for name in db.node_names() if name.startswith("Transaction")}

    assert offered == set(reference.TRANSACTIONS)


def test_every_code_of_a_field_is_documented() -> None:
    sources = [path.read_text() for path in REFERENCE.parents[1].glob("packages/*/src/**/*.py")]
    used = {code for text in sources for code in re.findall(r'(?:RefusedError\(|Problem\([^,()]+, )"(\w+)"', text)}

    assert used <= _said(_page("errors.md"))


@pytest.mark.parametrize("page", sorted(REFERENCE.parent.rglob("*.md")), ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    broken = [target for target in targets if "://" not in target and not (page.parent / target).exists()]

    assert broken == []
