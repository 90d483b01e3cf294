"""The closed expression language: what it says, and what cannot be said in it."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kailash.errors import KailashError
from kailash.expressions import ABSENT, InvalidExpressionError, Reference, Space, compile_expression, dig

NODES = {"customer": {"tier": "vip", "items": [{"n": 3}, {"n": 4}], "none": None}, "my-node": {"a": 2}}
INPUTS = {"flag": True, "limit": 5}


def classify(word: str) -> Space | None:
    return "node" if word in NODES else "input" if word == "input" else "context" if word == "context" else None


def look(reference: Reference) -> Any:
    if reference.space == "node":
        return dig(NODES[reference.name], reference.path)
    if reference.space == "local":
        return ABSENT
    return INPUTS.get(reference.name, ABSENT)


def value_of(text: str) -> Any:
    return compile_expression(text, classify).evaluate(look)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$customer.tier == 'vip'", True),
        ('$customer.tier != "vip"', False),
        ("$customer.items[0].n * 2 + 1", 7),
        ("$customer.items[len($customer.items) - 1].n", 4),
        ("$my-node.a - 1", 1),
        ("{{flag}} and ${limit} >= 5", True),
        ("$input.limit // 2 == 2 and $input.limit % 2 == 1", True),
        ("not {{flag}} || 1 < 2 < 3", True),
        ("1 < 3 < 2", False),
        ("'a' in ['a', 'b'] && 'z' not in 'abc'", True),
        ("$customer.none is none and $customer.tier is not null", True),
        ("$customer.none > 1", False),
        ("{{absent}} == 1", False),
        ("-2 * -3 - -1", 7),
        ("'it\\'s' + ' ' + 'so'", "it's so"),
        ("1e3 > 999.5", True),
        ("not not 1", True),
        ("[1, [2]][1][0]", 2),
    ],
)
def test_an_expression_has_its_value(text: str, expected: Any) -> None:
    assert value_of(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "1 +", "(1", "1 2", "a if b else c", "lambda: 1", "2 ** 3", "print(1)", "__import__('os')", "x := 1",
        "().__class__", "[x for x in y]", "$foo.bar", "{1: 2}", "'open", "$context.password", "1; 2", "`ls`",
        "(" * 100 + "1" + ")" * 100, "1 + " * 3000 + "1",
    ],
)  # fmt: skip
def test_what_is_not_in_the_grammar_is_refused_when_it_is_compiled(text: str) -> None:
    with pytest.raises(InvalidExpressionError):
        compile_expression(text, classify)


@pytest.mark.parametrize(
    "text",
    ["'a' * 1000000000", "1 / 0", "len(5)", "1 < 'a'", "$customer.tier.upper", "$customer.__class__", "1 in 2", "-'a'"],
)
def test_what_makes_no_sense_is_a_typed_error(text: str) -> None:
    with pytest.raises(KailashError):
        value_of(text)


def test_attributes_of_python_cannot_be_reached() -> None:
    for name in ("__class__", "__dict__", "__init__", "__globals__", "upper", "append"):
        with pytest.raises(KailashError):
            value_of(f"$customer.tier.{name}")
        with pytest.raises(KailashError):
            value_of(f"$customer.items['{name}']")


def test_the_references_of_an_expression_are_known() -> None:
    expression = compile_expression("$customer.tier == {{flag}} or quality > 1", classify)

    assert expression.references == (
        Reference("node", "customer", ("tier",)),
        Reference("input", "flag"),
        Reference("local", "quality"),
    )


@given(st.text(max_size=60))
def test_no_text_does_anything_but_compile_or_be_refused(text: str) -> None:
    with contextlib.suppress(InvalidExpressionError):
        compile_expression(text, classify)


@given(
    st.recursive(
        st.integers(-9, 9).map(str),
        lambda inner: st.tuples(inner, st.sampled_from(["+", "-", "*", "<", "==", " and ", " or "]), inner).map(
            lambda parts: f"({parts[0]}{parts[1]}{parts[2]})"
        ),
        max_leaves=12,
    )
)
def test_arithmetic_and_logic_mean_what_they_mean_in_python(text: str) -> None:
    try:
        actual = value_of(text)
    except InvalidExpressionError:  # arithmetic on a truth value, which Python allows
        return

    assert actual == eval(text)
