"""Nodes that decide, join and reshape: conditional, switch, merge, transform. All are pure."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from kailash.errors import NodeConfigurationError, NodeValidationError, did_you_mean
from kailash.expressions import Expression, MissingPathError, compile_expression, dig
from kailash.expressions.paths import Reference, path_of
from kailash.nodes.nodetype import NodeType, Values
from kailash.nodes.parameters import Parameters
from kailash.nodes.scope import Scope
from kailash.shapes import REQUIRED, Field

BRANCHES: Final = frozenset({"true_branch", "false_branch"})
HERE: Final = "kailash.nodes.control:"


def _decide(values: Values, scope: Scope) -> Values:
    return _chosen(bool(values["condition"]), values.get("input_data"))


def _chosen(outcome: bool, passed_on: Any) -> Values:  # noqa: FBT001 - the value that is decided on
    word = "true" if outcome else "false"
    return {
        "result": outcome,
        "condition_result": outcome,
        "branch": word,
        f"{word}_branch": True,
        f"{word}_output": passed_on,
    }


CONDITIONAL: Final = NodeType(
    name="ConditionalNode",
    run=_decide,
    inputs=Parameters(
        "ConditionalNode",
        [
            Field("condition", Any, REQUIRED, "an expression such as $customer.tier == 'vip', or any value"),
            Field("input_data", Any, None, "what true_output or false_output passes on"),
        ],
    ),
    effect="pure",
    native=True,
    routes=True,
    expressions=frozenset({"condition"}),
    branches=BRANCHES,
    summary="Run one of two branches, by a condition.",
    origin=f"{HERE}ConditionalNode",
)


def _contains(text: Any, part: Any) -> bool:
    return part in text


def _starts(text: Any, part: Any) -> bool:
    return isinstance(text, str) and text.startswith(part)


def _ends(text: Any, part: Any) -> bool:
    return isinstance(text, str) and text.endswith(part)


COMPARISONS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "in": lambda item, group: item in group,
    "not_in": lambda item, group: item not in group,
    "contains": _contains,
    "starts_with": _starts,
    "ends_with": _ends,
    "is_null": lambda value, _: value is None,
    "is_not_null": lambda value, _: value is not None,
}
SPELLINGS: Final = {
    "eq": "==", "equals": "==", "ne": "!=", "not_equals": "!=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=",
    "not in": "not_in", "startswith": "starts_with", "endswith": "ends_with",
}  # fmt: skip
ORDERED: Final = (">", ">=", "<", "<=")


def _switch(values: Values, scope: Scope) -> Values:
    passed_on = values["input_data"]
    if "condition" in values and "condition_field" not in values and "cases" not in values:
        return _chosen(bool(values["condition"]), passed_on)
    subject = _subject(passed_on, values.get("condition_field"))
    if "cases" in values:
        return _case(subject, values["cases"], passed_on, values.get("case_prefix", "case_"))
    return _chosen(_compare(subject, values.get("operator", "=="), values.get("value")), passed_on)


def _subject(value: Any, field: Any) -> Any:
    if field is None or not isinstance(value, Mapping | list):
        return value
    try:
        return dig(value, path_of(str(field)))
    except MissingPathError as cause:
        raise NodeValidationError(f"condition_field: {cause.message}", hint=cause.hint) from None


def _compare(subject: Any, word: str, value: Any) -> bool:
    word = SPELLINGS.get(word, word)
    if word not in COMPARISONS:
        raise NodeValidationError(f"no operator is {word!r}", hint=did_you_mean(word, COMPARISONS))
    if word in ORDERED and (subject is None or value is None):
        return False
    try:
        return bool(COMPARISONS[word](subject, value))
    except TypeError as cause:
        kinds = f"{type(subject).__name__} and {type(value).__name__}"
        raise NodeValidationError(f"{word!r} cannot compare {kinds}") from cause


def _case(subject: Any, cases: Any, passed_on: Any, prefix: str) -> Values:
    for case in cases:
        if case == subject and type(case) is type(subject):
            return {f"{prefix}{case}": passed_on, "condition_result": case}
    return {"default": passed_on, "condition_result": None}


def _prepare_switch(config: Mapping[str, Any]) -> NodeType:
    word = config.get("operator", "==")
    if isinstance(word, str) and "$" not in word and "{{" not in word and SPELLINGS.get(word, word) not in COMPARISONS:
        raise NodeConfigurationError(f"no operator is {word!r}", hint=did_you_mean(word, [*COMPARISONS, *SPELLINGS]))
    return SWITCH_PREPARED


SWITCH_PREPARED: Final = NodeType(
    name="SwitchNode",
    run=_switch,
    inputs=Parameters(
        "SwitchNode",
        [
            Field("input_data", Any, None, "what the chosen output passes on"),
            Field("condition_field", str | None, None, "path inside input_data to what is looked at"),
            Field("operator", str, "==", "how it is compared with value"),
            Field("value", Any, None),
            Field("cases", list | None, None, "values; output case_<value> for the one that matches, else default"),
            Field("case_prefix", str, "case_"),
            Field("default_field", str | None, None),
            Field("condition", Any, None, "an expression, instead of condition_field"),
        ],
    ),
    effect="pure",
    native=True,
    routes=True,
    expressions=frozenset({"condition"}),
    branches=BRANCHES,
    summary="Choose an output by comparing a value.",
    origin=f"{HERE}SwitchNode",
)
SWITCH: Final = NodeType(
    name="SwitchNode",
    prepare=_prepare_switch,
    effect="pure",
    origin=f"{HERE}SwitchNode",
    summary=SWITCH_PREPARED.summary,
)


def _merge(values: Values, scope: Scope) -> Values:
    kind = values.get("merge_type", "concat")
    parts = [values[name] for name in PARTS if values.get(name) is not None]
    if kind not in MERGES:
        raise NodeValidationError(f"no merge_type is {kind!r}", hint=did_you_mean(str(kind), MERGES))
    return {"merged_data": MERGES[kind](parts)}


def _concat(parts: list[Any]) -> list[Any]:
    joined: list[Any] = []
    for part in parts:
        joined.extend(part if isinstance(part, list | tuple) else [part])
    return joined


def _zip(parts: list[Any]) -> list[list[Any]]:
    if not all(isinstance(part, list | tuple) for part in parts):
        raise NodeValidationError("merge_type 'zip' takes lists")
    if len({len(part) for part in parts}) > 1:
        raise NodeValidationError("merge_type 'zip' takes lists of one length")
    return [list(group) for group in zip(*parts, strict=True)]


def _merge_dict(parts: list[Any]) -> dict[Any, Any]:
    merged: dict[Any, Any] = {}
    for part in parts:
        if not isinstance(part, Mapping):
            raise NodeValidationError("merge_type 'merge_dict' takes objects")
        merged |= part
    return merged


PARTS: Final = ("data1", "data2", "data3", "data4", "data5")
MERGES: Final[dict[str, Callable[[list[Any]], Any]]] = {"concat": _concat, "zip": _zip, "merge_dict": _merge_dict}
MERGE: Final = NodeType(
    name="MergeNode",
    run=_merge,
    inputs=Parameters(
        "MergeNode",
        [*(Field(name, Any, None) for name in PARTS), Field("merge_type", str, "concat", "concat, zip or merge_dict")],
    ),
    effect="pure",
    native=True,
    summary="Join up to five values; those of branches not taken are left out.",
    origin=f"{HERE}MergeNode",
)


def _prepare_transform(config: Mapping[str, Any]) -> NodeType:
    written = config.get("expressions") or {}
    if not isinstance(written, Mapping):
        raise NodeConfigurationError("'expressions' must be an object", hint="{'total': 'price * quantity'}")
    compiled = {str(name): compile_expression(str(text), lambda word: None) for name, text in written.items()}

    def run(values: Values, scope: Scope) -> Values:
        made = dict(values)
        for name, expression in compiled.items():
            made[name] = _evaluate(expression, made)
        return made

    return NodeType(
        name="TransformNode",
        run=run,
        open=True,
        effect="pure",
        inputs=Parameters("TransformNode", []),
        settings=frozenset({"expressions"}),
        summary=TRANSFORM_SUMMARY,
        origin=f"{HERE}TransformNode",
    )


def _evaluate(expression: Expression, values: Values) -> Any:
    def look(reference: Reference) -> Any:
        return dig(values, (reference.name, *reference.path))

    return expression.evaluate(look)


TRANSFORM_SUMMARY: Final = "Give names to values: its inputs, and expressions over them, are its outputs."
TRANSFORM: Final = NodeType(
    name="TransformNode",
    prepare=_prepare_transform,
    effect="pure",
    summary=TRANSFORM_SUMMARY,
    origin=f"{HERE}TransformNode",
)
TYPES: Final = {each.name: each for each in (CONDITIONAL, SWITCH, MERGE, TRANSFORM)}
