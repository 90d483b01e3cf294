"""A node made of the author's Python text.

It runs with all the rights of the process: never build one from what a request holds.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Final

from kailash._lazy import Late
from kailash.errors import NodeConfigurationError
from kailash.nodes.base import type_of
from kailash.nodes.nodetype import NodeType, Values
from kailash.nodes.parameters import Parameters
from kailash.nodes.scope import Scope
from kailash.shapes import Field

if TYPE_CHECKING:
    import dis
else:
    dis = Late("dis")  # 3 ms, and only for nodes of code

RESULT: Final = "result"


class PythonCodeNode:
    """Make node types from Python: `from_function`; as a node, ``{"code": "result = x * 2"}``.

    Inputs are variables of the code. Its output is ``{"result": ...}`` when the code sets ``result``, else
    the variables that it made.
    """

    @staticmethod
    def from_function(function: Callable[..., Any], name: str = "") -> NodeType:
        """Return the node type of *function*, not registered."""
        made = type_of(function)
        return node_type_named(made, name) if name else made


def node_type_named(made: NodeType, name: str) -> NodeType:
    """Return the same node type under another name."""
    fields = {field: getattr(made, field) for field in NodeType.__struct_fields__ if field != "name"}
    return NodeType(name=name, **fields)


def _prepare(config: Mapping[str, Any]) -> NodeType:
    text = config.get("code")
    if not isinstance(text, str):
        raise NodeConfigurationError("PythonCodeNode needs its code as text", hint="{'code': 'result = x * 2'}")
    try:
        code = compile(text, "<PythonCodeNode>", "exec")
    except (SyntaxError, ValueError) as cause:
        line = getattr(cause, "lineno", None)
        where = f" in line {line}" if line else ""
        raise NodeConfigurationError(f"the code is not Python{where}: {getattr(cause, 'msg', cause)}") from cause

    def run(values: Values, scope: Scope) -> Values:
        variables = {"__builtins__": builtins, "__name__": "__kailash__", **values}
        scope.inside(exec, code, variables) if scope.around else exec(code, variables)
        return _output(variables, values)

    return NodeType(
        name="PythonCodeNode",
        run=run,
        inputs=Parameters("PythonCodeNode", [Field(name, Any, None) for name in sorted(_free_names(code))]),
        open=True,
        settings=frozenset({"code"}),
        summary=SUMMARY,
        origin=ORIGIN,
    )


def _output(variables: Mapping[str, Any], given: Values) -> Values:
    if RESULT in variables and variables[RESULT] is not given.get(RESULT, variables):
        return {RESULT: variables[RESULT]}
    return {
        name: value
        for name, value in variables.items()
        if not name.startswith("_") and name not in given and not isinstance(value, ModuleType | FunctionType | type)
    }


def _free_names(code: CodeType) -> set[str]:
    """Names that the code loads and never sets, and that are not Python's own.

    A name that is only an attribute is not loaded by itself and so is no input.
    """
    loaded: set[str] = set()
    stored: set[str] = set()
    pending = [code]
    while pending:
        current = pending.pop()
        pending += [constant for constant in current.co_consts if isinstance(constant, CodeType)]
        for instruction in dis.get_instructions(current):
            if instruction.opname in ("LOAD_NAME", "LOAD_GLOBAL"):
                loaded.add(str(instruction.argval))
            elif instruction.opname in ("STORE_NAME", "STORE_GLOBAL"):
                stored.add(str(instruction.argval))
    return {name for name in loaded - stored if not hasattr(builtins, name)}


SUMMARY: Final = "Run the author's Python code, with the rights of this process."
ORIGIN: Final = "kailash.nodes.code:PythonCodeNode"
PYTHON_CODE: Final = NodeType(name="PythonCodeNode", prepare=_prepare, summary=SUMMARY, origin=ORIGIN)
setattr(PythonCodeNode, "__node_type__", PYTHON_CODE)  # noqa: B010 - so that the class itself can be added
TYPES: Final = {"PythonCodeNode": PYTHON_CODE}
