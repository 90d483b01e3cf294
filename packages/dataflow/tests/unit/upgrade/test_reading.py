"""What `dataflow upgrade` makes of one text."""

from __future__ import annotations

import ast
import re
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow import DataFlow, options
from dataflow.upgrade.reading import upgraded
from kailash.errors import InvalidInputError
from suites.older_programs import GUIDES

IMPORT = "from dataflow import DataFlow\n"


@pytest.mark.parametrize(
    ("older", "now"),
    [
        ("from dataflow.core.engine import DataFlow\n", "from dataflow import DataFlow\n"),
        ("from dataflow.core.engine import DataFlow as DF\n", "from dataflow import DataFlow as DF\n"),
        (
            "from dataflow.core.engine import (\n    DataFlow,  # ours\n)\n",
            "from dataflow import (\n    DataFlow,  # ours\n)\n",
        ),
        ("from nexus.core import Nexus\n", "from nexus import Nexus\n"),
        ("import nexus.core\napp = nexus.core.Nexus()\n", "import nexus\napp = nexus.Nexus()\n"),
        ("import nexus.core as nx\napp = nx.Nexus()\n", "import nexus as nx\napp = nx.Nexus()\n"),
        (
            "from dataflow.core import engine\ndb = engine.DataFlow()\n",
            "import dataflow as engine\ndb = engine.DataFlow()\n",
        ),
        ("from nexus import core as c\n", "import nexus as c\n"),
        ("if True:\n    import dataflow.core.engine\n", "if True:\n    import dataflow\n"),
        (
            "try:\n    from nexus.core import Nexus\nexcept ImportError:\n    Nexus = None\n",
            "try:\n    from nexus import Nexus\nexcept ImportError:\n    Nexus = None\n",
        ),
    ],
)
def test_an_older_address_becomes_the_current_one(older: str, now: str) -> None:
    found = upgraded(older)

    assert found.source == now
    assert not found.undecided


@pytest.mark.parametrize(
    ("older", "now"),
    [
        ("DataFlow(connection_pool_size=5)", "DataFlow(pool_size=5)"),
        ("DataFlow(connection_pool_size = 5 )", "DataFlow(pool_size = 5 )"),
        ("DataFlow(skip_migration=True)", "DataFlow(migration_enabled=False)"),
        ("DataFlow(skip_migration=False)", "DataFlow(migration_enabled=True)"),
        ("DataFlow(skip_migration=fast)", "DataFlow(migration_enabled=not fast)"),
        ("DataFlow(skip_migration=env('FAST'))", "DataFlow(migration_enabled=not env('FAST'))"),
        ("DataFlow(skip_migration=a or b)", "DataFlow(migration_enabled=not (a or b))"),
        ("DataFlow(skip_migration=(a or b))", "DataFlow(migration_enabled=not (a or b))"),
        ("DataFlow(skip_migration=(a) or (b))", "DataFlow(migration_enabled=not ((a) or (b)))"),
        ("DataFlow(skip_migration=not a)", "DataFlow(migration_enabled=not (not a))"),
        ("DataFlow(skip_registry=True)", "DataFlow()"),
        ("DataFlow(skip_registry=True,)", "DataFlow()"),
        ("DataFlow(url, skip_registry=True)", "DataFlow(url)"),
        ("DataFlow(url, skip_registry=True,)", "DataFlow(url)"),
        ("DataFlow(skip_registry=True, enable_model_persistence=False)", "DataFlow()"),
        ("DataFlow(skip_registry=True, enable_model_persistence=False, echo=True)", "DataFlow(echo=True)"),
        ("DataFlow(skip_registry=True, echo=True, enable_model_persistence=False)", "DataFlow(echo=True)"),
        ("DataFlow(url,\n    skip_registry=True,  # why\n)", "DataFlow(url,\n)"),
        (
            "DataFlow(\n    url,\n    # said before\n    skip_registry=True,  # why\n    # said after\n)",
            "DataFlow(\n    url,\n    # said before\n    # said after\n)",
        ),
        ("DataFlow(\n    url,  # where\n    skip_registry=True)", "DataFlow(\n    url,  # where\n    )"),
        ("DataFlow(\n    url,\n    skip_registry=True)", "DataFlow(\n    url)"),
        ("DataFlow(\n    skip_registry=True,\n    enable_model_persistence=True)", "DataFlow()"),
        ("DataFlow(url, skip_registry=True,  # both\n    echo=True)", "DataFlow(url,  # both\n    echo=True)"),
        ("DataFlow(\n    skip_registry=True, echo=True,\n)", "DataFlow(\n    echo=True,\n)"),
        ("DataFlow(enable_metrics=False, monitoring=False)", "DataFlow(monitoring=False)"),
        (
            "DataFlow(\r\n    skip_registry=True,\r\n    connection_pool_size=5,\r\n)",
            "DataFlow(\r\n    pool_size=5,\r\n)",
        ),
        ("print(f'{DataFlow(connection_pool_size=5)}')", "print(f'{DataFlow(pool_size=5)}')"),
        ("x = '☃'; DataFlow(connection_pool_size=5)  # ☃", "x = '☃'; DataFlow(pool_size=5)  # ☃"),
        (
            "DataFlow(connection_pool_size=5,   # in a column\n    echo=True,                # here\n)",
            "DataFlow(pool_size=5,              # in a column\n    echo=True,                # here\n)",
        ),
        ("DataFlow(connection_pool_size=5,  # after its code\n)", "DataFlow(pool_size=5,  # after its code\n)"),
    ],
)
def test_older_keywords_of_a_call_become_the_current_ones(older: str, now: str) -> None:
    found = upgraded(f"{IMPORT}{older}\n")

    assert found.source == f"{IMPORT}{now}\n"
    assert upgraded(found.source).source == found.source


@pytest.mark.parametrize(
    "program",
    [
        "import dataflow\ndataflow.DataFlow({})\n",
        "import dataflow as d\nd.DataFlow({})\n",
        "from dataflow.database import DataFlow as D\nD({})\n",
        "from dataflow import *\nDataFlow({})\n",
        "import functools\nfrom dataflow import DataFlow\nfunctools.partial(DataFlow, {})\n",
        "from functools import partial as p\nfrom dataflow import DataFlow\np(DataFlow, {})\n",
        "from dataflow import DataFlow\nclass Mine(DataFlow):\n    def __init__(self):\n        super().__init__({})\n",
        "from dataflow import DataFlow\nclass Mine(DataFlow):\n    pass\nMine({})\n",
        "def make():\n    from dataflow import DataFlow\n    return DataFlow({})\n",
    ],
)
def test_a_call_is_known_by_what_it_calls_and_not_by_its_spelling(program: str) -> None:
    assert upgraded(program.format("connection_pool_size=5")).source == program.format("pool_size=5")


@pytest.mark.parametrize(
    "program",
    [
        "Meter(enable_metrics=True)\n",
        "from other import DataFlow\nDataFlow(enable_metrics=True)\n",
        "class DataFlow:\n    pass\nDataFlow(enable_metrics=True)\n",
        "from .core import Nexus\nfrom .dataflow.core.engine import DataFlow\n",
        "settings = {'enable_metrics': True}\n",
        "# from dataflow.core.engine import DataFlow\n",
        '"""Was: from nexus.core import Nexus."""\n',
        "said = 'nexus.core.Nexus is now nexus.Nexus'\n",
        "",
    ],
)
def test_what_is_not_ours_is_left_alone(program: str) -> None:
    found = upgraded(program)

    assert found.source == program
    assert not found.changes


@pytest.mark.parametrize(
    ("program", "line", "said"),
    [
        (f"{IMPORT}DataFlow(**settings.DATABASE)\n", 2, r"\*\*settings\.DATABASE"),
        (f"{IMPORT}DataFlow(**(a | b))\n", 2, r"\*\* of an expression"),
        (f"{IMPORT}DataFlow(poolsize=5)\n", 2, "no option 'poolsize'; did you mean .*'pool_size'"),
        (f"{IMPORT}\nDataFlow(connection_pool_size=5, pool_size=6)\n", 3, "now pool_size, which is given too"),
        (f"{IMPORT}DataFlow(skip_migration=fast, migration_enabled=fast)\n", 2, "now migration_enabled"),
        (f"{IMPORT}DataFlow(skip_registry=begin())\n", 2, "its value does something"),
        (f"{IMPORT}DataFlow(auto_migrate=False, skip_registry=True)\n", 2, "auto_migrate=False stays"),
        ("from dataflow.core.engine import *\n", 1, r"\* does not say"),
        ("from dataflow.core.engine import DataFlow, Engine\n", 1, "has DataFlow and nothing else"),
        ("from dataflow.core import engine, more\n", 1, "an older address: import dataflow instead"),
        ("import dataflow.core.engine\nmodule = dataflow.core.engine.Engine\n", 2, "nothing else"),
        ("patch('dataflow.core.engine.DataFlow')\n", 1, "names an older address"),
        ("from other import DataFlow\nDataFlow(enable_metrics=True)\n", 2, "'enable_metrics'.*now monitoring"),
    ],
)
def test_what_cannot_be_decided_is_told_with_its_line(program: str, line: int, said: str) -> None:
    found = upgraded(program)

    assert [each.line for each in found.undecided if re.search(said, each.said)] == [line]


def test_what_is_told_is_left_as_it_is() -> None:
    program = "import dataflow.core.engine\nmodule = dataflow.core.engine.Engine\nDataFlow(**given)\n"

    assert upgraded(program).source == program


def test_older_names_elsewhere_matter_where_keywords_come_from_elsewhere() -> None:
    found = upgraded(f"{IMPORT}given = {{'skip_registry': True}} | dict(enable_caching=True)\nDataFlow(**given)\n")

    assert found.elsewhere
    assert {each.line for each in found.mentions} == {2}
    assert not upgraded(f"{IMPORT}DataFlow(connection_pool_size=5)\n").elsewhere


@pytest.mark.parametrize("program", ["def broken(:\n", "print 'two'\n", "(" * 5000])
def test_what_is_no_python_is_an_error_that_says_so(program: str) -> None:
    with pytest.raises(InvalidInputError, match="no Python"):
        upgraded(program)


@pytest.mark.parametrize("older", GUIDES.values(), ids=GUIDES)
def test_the_programs_of_the_older_guides_become_current(older: str) -> None:
    found = upgraded(older)
    again = upgraded(found.source)

    assert found.changes
    assert not again.changes
    assert again.source == found.source
    left = {node.arg for node in ast.walk(ast.parse(found.source)) if isinstance(node, ast.keyword)}
    assert left & {*options.RENAMED, *options.NEEDLESS} == set()
    kept = [line.strip() for line in older.splitlines() if line.strip().startswith("#")]
    assert [line.strip() for line in found.source.splitlines() if line.strip().startswith("#")] == kept
    assert [line for line in found.source.splitlines() if line.rstrip() != line] == [
        line for line in older.splitlines() if line.rstrip() != line
    ]


# What can be asked of any version, with the values that need no feature.
VALUES = {
    "connection_pool_size": ["5", "2 + 3"],
    "enable_metrics": ["False"],
    "enable_audit_log": ["False"],
    "enable_caching": ["False"],
    "skip_migration": ["True", "False", "1 == 2", "not True", "(True) and (False)"],
    "skip_registry": ["True", "[1, 2]"],
    "enable_model_persistence": ["False"],
    "enable_schema_discovery": ["True"],
    "echo": ["True", "(True)"],
    "max_overflow": ["7"],
}
BETWEEN = [", ", ",", ",\n    ", ",  # said, of (it\n    ", ",\n    # said alone, about\n    ", " ,"]


@st.composite
def calls(draw: st.DrawFn) -> str:
    names = draw(st.lists(st.sampled_from([*VALUES]), unique=True, max_size=6))
    text = draw(st.sampled_from(["(", "(\n    ", "(  # opens\n    "]))
    for place, name in enumerate(names):
        text += f"{name}={draw(st.sampled_from(VALUES[name]))}"
        text += draw(st.sampled_from(BETWEEN)) if place < len(names) - 1 else ""
    ends = [")", "\n)", "  # the end\n)"] + ([",)", ",\n)", ",  # the end\n)"] if names else [])
    return "made = DataFlow" + text + draw(st.sampled_from(ends))


def _options(program: str) -> options.Options:
    namespace: dict[str, Any] = {"DataFlow": DataFlow}
    exec(program, namespace)
    made: DataFlow = namespace["made"]
    return made.options


@given(calls())
def test_a_program_asks_for_the_same_as_before_and_without_a_warning(program: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        before = _options(program)
    found = upgraded(program)

    assert _options(found.source) == before
    assert upgraded(found.source).source == found.source
    alone = [line.strip() for line in program.splitlines() if line.strip() == "# said alone, about"]
    assert found.source.count("# said alone, about") == len(alone)
