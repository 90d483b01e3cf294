"""The reference is complete: what the code has, the pages name."""

from __future__ import annotations

import re
import typing
from pathlib import Path

import pytest

import reference
from dataflow import DataFlow
from dataflow import options as dataflow_options
from dataflow.cli.app import COMMANDS
from dataflow.express import Express
from dataflow.operations import values as ops
from kailash.conditions import OPERATORS
from nexus import options as nexus_options
from nexus.channels.cli.verbs import VERBS
from nexus.channels.rest.params import RESERVED

REFERENCE = Path(__file__).parent / "reference"
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

    assert named == set(dataflow_options.Options.__struct_fields__) - dataflow_options.NOT_YET


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


@pytest.mark.parametrize("word", COMMANDS)
def test_every_command_of_dataflow_is_documented(word: str) -> None:
    assert re.search(rf"`dataflow {word}\b", _page("dataflow-cli.md"))


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
