"""Write the generated parts of the reference pages, between their markers.

``python tools/reference.py`` writes them; a test says when they are not what the code says.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from dataflow import DataFlow, options
from dataflow.upgrade.finding import MOVED
from kailash.errors import KailashError
from kailash.nodes.nodetype import NodeType
from kailash.nodes.parameters import Parameters
from kailash.nodes.registry import BUILT_IN, NodeRegistry
from kailash.shapes import REQUIRED, Field
from kailash.workflow.builder import WorkflowBuilder
from nexus import options as nexus_options
from nexus import wire

ROOT = Path(__file__).resolve().parents[1]
ERRORS = ROOT / "docs" / "reference" / "errors.md"
OPTIONS = ROOT / "docs" / "reference" / "options.md"
MIGRATE = ROOT / "docs" / "how-to" / "migrate" / "README.md"
FULL = MIGRATE.with_name("fast-and-full.md")
NODES = ROOT / "docs" / "reference" / "nodes.md"
TRANSACTIONS = (
    "TransactionStartNode",
    "TransactionScopeNode",
    "TransactionCommitNode",
    "TransactionRollbackNode",
    "TransactionSavepointNode",
)
WRITTEN = {"code": "", "workflow": WorkflowBuilder()}  # what an author writes at least, to see what a step then takes
ENDED = "`id`, `status`, `committed`, `rolled_back`"
OUTPUTS = {
    "ConditionalNode": "`result`, `condition_result`, `branch`; `true_output` and `true_branch`, or `false_output`"
    " and `false_branch`",
    "SwitchNode": "as `ConditionalNode`; with `cases`, one of `case_<value>` and `default`",
    "MergeNode": "`merged_data`",
    "TransformNode": "its inputs and its `expressions`, by their names",
    "LoopNode": "`results`: for each item `{node id: output}`; `count`",
    "MapNode": "as `LoopNode`, which it is",
    "WorkflowNode": "`{node id: output}` of the workflow inside",
    "PythonCodeNode": "`result` if the code sets it, else the variables that it made",
    "HTTPRequestNode": "`response` with `status_code`, `headers`, `content`; `status_code`, `success`",
    "TransactionStartNode": "`id`, `transaction_id`, `isolation_level`, `status`",
    "TransactionScopeNode": "as `TransactionStartNode`, which it is",
    "TransactionCommitNode": ENDED,
    "TransactionRollbackNode": f"{ENDED}, `reason`; with `savepoint`, as `TransactionSavepointNode`",
    "TransactionSavepointNode": "as `TransactionStartNode`, and `savepoint`",
}


def errors() -> list[type[KailashError]]:
    """Return every error that the three distributions define, ordered by code."""
    for package in ("kailash", "dataflow", "nexus"):
        for name in _modules(package):
            importlib.import_module(name)
    found = {each for each in _descendants(KailashError) if "code" in vars(each) and ".testing" not in each.__module__}
    return sorted(found, key=lambda each: (each.code, each.__module__, each.__name__))


def errors_table() -> str:
    """Return the table of errors, as Markdown."""
    lines = ["| code | kind | HTTP | exit | error | when |", "|---|---|--:|--:|---|---|"]
    for error in errors():
        said = wire.WIRES[error.kind]
        status = getattr(error, "status", 0) or said.http
        first = inspect.cleandoc(error.__doc__ or "").partition("\n\n")[0]
        when = first.replace("\n", " ").replace("``", "`").replace("|", "\\|")
        name = f"`{error.__module__}.{error.__qualname__}`"
        lines.append(f"| `{error.code}` | {error.kind.value} | {status} | {said.exit} | {name} | {when} |")
    return "\n".join(lines)


def parameters_table() -> str:
    """Return the table of parameters of `DataFlow` that are older, as Markdown."""
    lines = ["| older | now |", "|---|---|"]
    for name, renamed in options.RENAMED.items():
        now, _, besides = renamed.spelling.partition(" (")
        alternative = f" (or just `{besides.removeprefix('or ').removesuffix(')')}`)" if besides else ""
        older = f"{name}=True" if renamed.inverted else name
        lines.append(f"| `{older}` | `{now}`{alternative} |")
    for name, why in options.NEEDLESS.items():
        said = re.sub(r"(\w+=\w+)", r"`\1`", why)
        lines.append(f"| `{name}` | nothing: {said} |")
    return "\n".join(lines)


def addresses_table() -> str:
    """Return the table of addresses that moved, as Markdown."""
    rows = [
        f"| `from {older} import {moved.name}` | `from {moved.home} import {moved.name}` |"
        for older, moved in MOVED.items()
    ]
    return "\n".join(["| older | now |", "|---|---|", *rows])


def later_table() -> str:
    """Return the table of options of `Nexus` that older guides have and this version does not, as Markdown."""
    rows = [f"| `{name}` | {instead or 'leave it out'} |" for name, instead in nexus_options.NOT_YET.items()]
    return "\n".join(["| not in this version | instead |", "|---|---|", *rows])


def node_types() -> dict[str, NodeType]:
    """Return every node type that comes with the distributions, as a step of it is, by name."""
    registry = NodeRegistry()
    with DataFlow("sqlite:///:memory:") as db:
        offered = {name: registry.find(name) for name in BUILT_IN}
        offered |= {name: db.node_type(name) for name in TRANSACTIONS}
    return {name: _prepared(found) for name, found in offered.items() if found is not None}


def nodes_list() -> str:
    """Return a section for each node type, as Markdown."""
    return "\n\n".join(_node_section(name, found) for name, found in node_types().items())


def _prepared(found: NodeType) -> NodeType:
    return found if found.prepare is None else found.prepare(WRITTEN)


def _node_section(name: str, found: NodeType) -> str:
    fields = [*found.inputs.fields.values()] if isinstance(found.inputs, Parameters) else []
    lines = [f"### {name}", "", f"{found.summary} Effect: {found.effect}. Gives {OUTPUTS[name]}.", ""]
    lines += ["| parameter | default | what |", "|---|---|---|"]
    lines += [_parameter(each) for each in fields]
    lines += [f"| `{each}` | | read when the workflow is built |" for each in sorted(found.settings)]
    lines += [f"| `{each}` | | ids of the steps that run only then |" for each in sorted(found.branches)]
    if found.open:
        lines.append("| any other | | an input by its name |")
    return "\n".join(lines)


def _parameter(field: Field) -> str:
    default = "required" if field.default is REQUIRED else "" if field.default is None else f"`{field.default!r}`"
    what = field.description.replace("<", "\\<").replace("|", "\\|")
    return f"| `{field.name}` | {default} | {what} |"


def written(page: str, part: str, text: str) -> str:
    """Return *page* with *text* between the markers of *part*."""
    begin, end = f"<!-- generated: {part} -->", f"<!-- end: {part} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(page):
        raise LookupError(f"no markers of {part!r}")
    return pattern.sub(lambda _: f"{begin}\n\n{text}\n\n{end}", page)


def _modules(package: str) -> Iterator[str]:
    yield package
    home = importlib.import_module(package)
    for module in pkgutil.walk_packages(home.__path__, f"{package}."):
        if module.name.rpartition(".")[2] != "__main__":
            yield module.name


def _descendants(error: type[KailashError]) -> Iterator[type[KailashError]]:
    yield error
    for child in error.__subclasses__():
        if child.__module__.partition(".")[0] in {"kailash", "dataflow", "nexus"}:
            yield from _descendants(child)


def main() -> int:
    """Write the pages."""
    ERRORS.write_text(written(ERRORS.read_text(), "errors", errors_table()))
    NODES.write_text(written(NODES.read_text(), "nodes", nodes_list()))
    OPTIONS.write_text(written(OPTIONS.read_text(), "parameters", parameters_table()))
    guide = written(MIGRATE.read_text(), "parameters", parameters_table())
    MIGRATE.write_text(written(guide, "addresses", addresses_table()))
    FULL.write_text(written(FULL.read_text(), "later", later_table()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
