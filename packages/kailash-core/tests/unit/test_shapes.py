"""Values against shapes: what is taken, what is refused, and in which words."""

from __future__ import annotations

import enum
import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any, Literal, NewType, TypedDict
from uuid import UUID

import msgspec
import pytest
from annotated_types import Ge, Interval, Len, Lt, MaxLen, MinLen, MultipleOf, Predicate, Timezone
from hypothesis import given
from hypothesis import strategies as st

from kailash.errors import ConfigurationError, InvalidInputError
from kailash.shapes import (
    REQUIRED,
    Field,
    MalformedJSONError,
    NotJSONError,
    Shape,
    decode_json,
    encode_json,
    plain,
    schema_of,
    unfold,
)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Marked(str):
    """As `kailash.Literal` marks the text of a request."""

    __slots__ = ()


class Address(TypedDict):
    street: str


class Point(msgspec.Struct):
    x: int
    y: int = 0


Price = NewType("Price", Decimal)
PRODUCT = Shape(
    "Product", [Field("name", str), Field("price", float), Field("stock", int, 0), Field("note", str | None)]
)
ID = UUID("0190163d-8694-739b-aea5-966c26f8ad91")
MOMENT = datetime(2024, 5, 6, 7, 8, 9, 10, tzinfo=UTC)


def one(annotation: Any) -> Shape:
    """A shape of one field."""
    return Shape("One", [Field("value", annotation)])


def taken(annotation: Any, value: Any) -> Any:
    """What the check makes of *value*."""
    return one(annotation).check({"value": value})["value"]


def refusal(annotation: Any, value: Any) -> tuple[str, str]:
    """The code and the sentence of the refusal of *value*."""
    with pytest.raises(InvalidInputError) as caught:
        one(annotation).check({"value": value})
    (problem,) = caught.value.problems
    return problem.code, problem.message


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (str, "ž\n", "ž\n"),
        (str, Marked("$txn.id"), "$txn.id"),
        (int, -(2**63), -(2**63)),
        (int, Level.HIGH, 2),
        (float, 5, 5.0),
        (float, 1.5, 1.5),
        (bool, False, False),
        (Decimal, "1.50", Decimal("1.50")),
        (Decimal, 0.1, Decimal("0.1")),
        (Decimal, 3, Decimal(3)),
        (Price, "1.50", Decimal("1.50")),
        (datetime, "2024-05-06T07:08:09.000010Z", MOMENT),
        (datetime, "2024-05-06T09:08:09.000010+02:00", MOMENT),
        (datetime, datetime(2024, 5, 6, 7, 8, 9, 10), MOMENT),
        (datetime, MOMENT.astimezone(timezone(timedelta(hours=-3))), MOMENT),
        (datetime, "2024-05-06", datetime(2024, 5, 6, tzinfo=UTC)),
        (Annotated[datetime, Timezone(None)], "2024-05-06T07:08:09", datetime(2024, 5, 6, 7, 8, 9)),
        (Annotated[datetime, msgspec.Meta(tz=False)], datetime(2024, 5, 6), datetime(2024, 5, 6)),
        (date, "2024-05-06", date(2024, 5, 6)),
        (time, "07:08", time(7, 8)),
        (timedelta, "P1DT2H", timedelta(days=1, hours=2)),
        (timedelta, 90, timedelta(seconds=90)),
        (timedelta, -0.5, timedelta(milliseconds=-500)),
        (UUID, str(ID), ID),
        (UUID, ID.hex, ID),
        (bytes, "AP8=", b"\x00\xff"),
        (bytes, bytearray(b"\x00\xff"), b"\x00\xff"),
        (Colour, "red", Colour.RED),
        (Colour, Colour.BLUE, Colour.BLUE),
        (Level, 1, Level.LOW),
        (Literal["a", 1, True], True, True),
        (dict, {"a": [1, None, {"b": 2.5}]}, {"a": [1, None, {"b": 2.5}]}),
        (dict[str, Decimal], {"a": "1.5"}, {"a": Decimal("1.5")}),
        (list, (1, "a"), [1, "a"]),
        (list[date], ["2024-05-06"], [date(2024, 5, 6)]),
        (list[int | None], [1, None], [1, None]),
        (tuple[int, str], [1, "a"], (1, "a")),
        (tuple[int, ...], [1, 2, 3], (1, 2, 3)),
        (set[int], [1, 1], {1}),
        (int | str, "5", "5"),
        (str | None, None, None),
        (Any, MOMENT, MOMENT),
        (Point, {"x": 1}, Point(1)),
        (Point, Point(1), Point(1)),
        (Address, {"street": "High"}, {"street": "High"}),
    ],
)
def test_a_value_comes_back_as_its_declared_type(annotation: Any, value: Any, expected: Any) -> None:
    result = taken(annotation, value)

    assert expected == result
    assert type(expected) is type(result)


@pytest.mark.parametrize("value", [MOMENT, "2024-05-06T07:08:09Z", datetime(2024, 5, 6), "2024-05-06T07:00-07:00"])
def test_a_datetime_is_always_of_utc(value: Any) -> None:
    assert taken(datetime, value).tzinfo is UTC


@pytest.mark.parametrize(
    ("annotation", "value", "code", "words"),
    [
        (str, 5, "wrong_type", "'value' must be text, not a whole number"),
        (int, "5", "wrong_type", "'value' must be a whole number, not text"),
        (int, True, "wrong_type", "'value' must be a whole number, not a boolean"),
        (int, 5.0, "wrong_type", "'value' must be a whole number, not a number"),
        (int, None, "wrong_type", "'value' must be a whole number, not null"),
        (float, "1.5", "wrong_type", "'value' must be a number, not text"),
        (float, True, "wrong_type", "'value' must be a number, not a boolean"),
        (bool, 1, "wrong_type", "'value' must be true or false, not a whole number"),
        (Decimal, "1,5", "wrong_type", "'value' must be a decimal number"),
        (datetime, "tomorrow", "wrong_type", "'value' must be a date and time (ISO 8601)"),
        (datetime, 5, "wrong_type", "'value' must be a date and time (ISO 8601), not a whole number"),
        (
            Annotated[datetime, Timezone(None)],
            MOMENT,
            "wrong_type",
            "'value' must be a date and time without a time zone",
        ),
        (date, MOMENT, "wrong_type", "'value' must be a date (ISO 8601), not a date and time"),
        (time, "07:08Z", "wrong_type", "'value' must be a time of day without a time zone"),
        (timedelta, "1 day", "wrong_type", "'value' must be a duration (ISO 8601, or seconds)"),
        (UUID, "x", "wrong_type", "'value' must be a UUID"),
        (bytes, "é", "wrong_type", "'value' must be bytes or base64 text"),
        (Colour, "green", "constraint", "'value' must be one of 'red', 'blue'"),
        (Colour, 5, "wrong_type", "'value' must be one of 'red', 'blue'"),
        (Level, True, "wrong_type", "'value' must be one of 1, 2"),
        (Literal["a", "b"], "c", "constraint", "'value' must be one of 'a', 'b'"),
        (Literal[1], True, "wrong_type", "'value' must be one of 1"),
        (dict, [1], "wrong_type", "'value' must be an object, not a list"),
        (list, "ab", "wrong_type", "'value' must be a list, not text"),
        (int | str, 1.5, "wrong_type", "'value' must be a whole number or text, not a number"),
        (Point, {"x": "1"}, "wrong_type", "'value' must be a Point: expected `int`, got `str` - at `$.x`"),
    ],
)
def test_a_value_of_another_type_is_refused(annotation: Any, value: Any, code: str, words: str) -> None:
    assert (code, words) == refusal(annotation, value)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, 2**63),
        (int, -(2**63) - 1),
        (float, math.nan),
        (float, math.inf),
        (float, 10**400),
        (Decimal, "NaN"),
        (Decimal, Decimal("Infinity")),
        (Decimal, math.nan),
        (Decimal, "1e5000"),
        (Decimal, "1e-5000"),
        (timedelta, math.inf),
        (timedelta, math.nan),
        (timedelta, timedelta.max),
        (datetime, "0001-01-01T00:00:00+10:00"),
        (dict, {"a": [math.nan]}),
        (list, [2**63]),
    ],
)
def test_what_a_database_cannot_give_back_is_out_of_range(annotation: Any, value: Any) -> None:
    code, _ = refusal(annotation, value)

    assert code == "out_of_range"


@pytest.mark.parametrize("text", ["a\0b", "half \ud83d", "é\0"])
@pytest.mark.parametrize("annotation", [str, dict, list, list[str], dict[str, str]])
def test_nul_and_half_surrogates_are_refused_at_any_depth(annotation: Any, text: str) -> None:
    value = {str: text, dict: {"a": [text]}, list: [{text: 1}], list[str]: [text], dict[str, str]: {text: "a"}}

    code, words = refusal(annotation, value[annotation])

    assert code == "constraint"
    assert text not in words


def test_a_refusal_inside_a_value_tells_the_way_to_it() -> None:
    with pytest.raises(InvalidInputError) as caught:
        Shape("Order", [Field("items", list[dict[str, int]])]).check({"items": [{"a": 1}, {"b": "x"}]})

    (problem,) = caught.value.problems
    assert problem.field == "items.1.b"


def test_nesting_without_end_is_refused() -> None:
    value: dict[str, Any] = {}
    for _ in range(5000):
        value = {"a": value}

    code, _ = refusal(dict, value)

    assert code == "out_of_range"


def test_the_copy_of_an_object_is_the_callers_no_more() -> None:
    given: dict[str, Any] = {"a": [1]}

    result = taken(dict, given)
    given["a"].append(2)

    assert result == {"a": [1]}


@pytest.mark.parametrize(
    ("annotation", "good", "bad", "words"),
    [
        (Annotated[int, Ge(0)], 0, -1, "must be at least 0"),
        (Annotated[int, Interval(gt=0, lt=3)], 2, 3, "must be less than 3"),
        (Annotated[Decimal, Lt(Decimal("1.5"))], "1.4", "1.5", "must be less than 1.5"),
        (Annotated[date, Ge(date(2024, 1, 1))], "2024-01-01", "2023-12-31", "must be at least 2024-01-01"),
        (Annotated[str, MinLen(2), MaxLen(3)], "ab", "abcd", "must have a length of at most 3"),
        (Annotated[list[int], Len(1, 2)], [1], [], "must have a length of at least 1"),
        (Annotated[float, MultipleOf(0.1)], 0.3, 0.35, "must be a multiple of 0.1"),
        (Annotated[str, Predicate(str.islower)], "a", "A", "must fulfil islower"),
        (Annotated[str, msgspec.Meta(pattern="^[a-z]+$")], "ab", "a1", "must match the pattern ^[a-z]+$"),
        (Annotated[int, msgspec.Meta(ge=1, le=2)] | None, None, 3, "must be at most 2"),
        (list[Annotated[int, Ge(0)]], [0], [-1], "must be at least 0"),
    ],
)
def test_a_constraint_is_enforced(annotation: Any, good: Any, bad: Any, words: str) -> None:
    taken(annotation, good)

    code, sentence = refusal(annotation, bad)

    assert code == "constraint"
    assert sentence.endswith(words)


def test_constraints_of_pydantic_are_understood() -> None:
    pydantic = pytest.importorskip("pydantic")
    money = Annotated[Decimal, pydantic.Field(ge=0, max_digits=5, decimal_places=2)]
    word = Annotated[str, pydantic.StringConstraints(min_length=1, pattern=r"^\w+$")]

    assert Decimal("123.45") == taken(money, "123.45")
    assert refusal(money, "-1") == ("constraint", "'value' must be at least 0")
    assert refusal(money, "1.234") == ("constraint", "'value' must have at most 2 digits after the point")
    assert refusal(money, "1234.56") == ("constraint", "'value' must have at most 5 digits")
    assert refusal(word, "") == ("constraint", "'value' must have a length of at least 1")
    assert refusal(pydantic.PositiveInt, 0) == ("constraint", "'value' must be greater than 0")


def test_a_constraint_that_would_edit_the_value_is_refused_where_it_is_declared() -> None:
    pydantic = pytest.importorskip("pydantic")

    with pytest.raises(ConfigurationError, match="strip_whitespace"):
        unfold(Annotated[str, pydantic.StringConstraints(strip_whitespace=True)])


def test_every_bad_field_is_reported_at_once() -> None:
    with pytest.raises(InvalidInputError) as caught:
        PRODUCT.check({"nme": "x", "price": "5", "stock": True})

    assert [(problem.field, problem.code) for problem in caught.value.problems] == [
        ("nme", "unknown_field"),
        ("price", "wrong_type"),
        ("stock", "wrong_type"),
        ("name", "missing"),
        ("note", "missing"),
    ]
    assert "'nme' is not a field (did you mean 'name'?)" in str(caught.value)


def test_no_value_is_repeated_in_a_refusal() -> None:
    with pytest.raises(InvalidInputError) as caught:
        PRODUCT.check({"name": b"hunter2", "price": "hunter2", "note": 5, "stock": [{"hunter2": 1}]})

    assert "hunter2" not in str(caught.value)


def test_what_is_not_given_is_not_returned() -> None:
    assert PRODUCT.check({"name": "a", "price": 1, "note": None}) == {"name": "a", "price": 1.0, "note": None}


def test_a_partial_check_requires_nothing() -> None:
    assert PRODUCT.check({"stock": 3}, partial=True) == {"stock": 3}


@pytest.mark.parametrize("given", [[], "name", None, 5])
def test_values_that_are_no_mapping_are_refused(given: Any) -> None:
    with pytest.raises(InvalidInputError, match="must be an object"):
        PRODUCT.check(given)


def test_a_key_that_is_no_text_is_an_unknown_field() -> None:
    with pytest.raises(InvalidInputError, match="'5' is not a field"):
        PRODUCT.check({5: 1, (): 2})  # type: ignore[dict-item]  # what a careless caller sends


def test_defaults_fill_what_is_missing_each_with_a_value_of_its_own() -> None:
    shape = Shape("Bag", [Field("items", list, list), Field("size", int, 3), Field("name", str)])

    first, second = shape.fill({}), shape.fill({"size": 4, "name": "b"})
    first["items"].append(1)

    assert first == {"items": [1], "size": 3}
    assert second == {"items": [], "size": 4, "name": "b"}


def test_an_operand_need_not_keep_the_limits() -> None:
    shape = one(Annotated[int, Ge(0)])

    assert shape.check_value("value", -1) == -1
    with pytest.raises(InvalidInputError):
        shape.check_field("value", -1)
    with pytest.raises(InvalidInputError, match="whole number"):
        shape.check_value("value", "1")
    with pytest.raises(InvalidInputError, match="did you mean 'value'"):
        shape.check_value("valu", 1)


def test_an_item_is_checked_as_the_items_of_its_list() -> None:
    assert Decimal("1.5") == one(list[Decimal]).check_item("value", "1.5")
    assert one(list).check_item("value", {"a": 1}) == {"a": 1}
    assert one(str).check_item("value", "a") == "a"


@pytest.mark.parametrize(
    ("annotation", "text", "expected"),
    [
        (str, "007", "007"),
        (str | None, "", ""),
        (str | None, "null", "null"),
        (int, "-5", -5),
        (int | None, "", None),
        (float, "1e3", 1000.0),
        (bool, "TRUE", True),
        (bool, "0", False),
        (Decimal, "1.50", Decimal("1.50")),
        (datetime, "2024-05-06T07:08:09.000010Z", MOMENT),
        (timedelta, "90", timedelta(seconds=90)),
        (timedelta, "PT1H", timedelta(hours=1)),
        (Colour, "red", Colour.RED),
        (Level, "2", Level.HIGH),
        (Literal[1, 2], "2", 2),
        (list[int], "1, 2", [1, 2]),
        (list[int], "[1, 2]", [1, 2]),
        (list, "", []),
        (dict, '{"a": 1.5}', {"a": 1.5}),
        (int | str, "5", 5),
        (int | str, "five", "five"),
        (bytes, "AP8=", b"\x00\xff"),
    ],
)
def test_text_is_read_as_the_declared_type(annotation: Any, text: str, expected: Any) -> None:
    result = one(annotation).read_text("value", text)

    assert expected == result
    assert type(expected) is type(result)


@pytest.mark.parametrize(
    ("annotation", "text"),
    [(int, "5.0"), (int, "1_000"), (int, ""), (int, "٥"), (float, "nan"), (float, "inf"), (float, "1e999"),
     (bool, "maybe"), (Colour, "green"), (list[int], "1,a"), (dict, "{"), (int, "9" * 30), (date, "today")],
)  # fmt: skip
def test_text_that_is_no_such_value_is_refused(annotation: Any, text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        one(annotation).read_text("value", text)

    assert caught.value.problems[0].field.startswith("value")


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (str, {"type": "string"}),
        (int | None, {"type": ["integer", "null"]}),
        (Annotated[int, Ge(0), Lt(5)], {"type": "integer", "minimum": 0, "exclusiveMaximum": 5}),
        (Annotated[str, MaxLen(5)], {"type": "string", "maxLength": 5}),
        (Annotated[str, msgspec.Meta(pattern="x", description="A word.")],
         {"type": "string", "pattern": "x", "description": "A word."}),
        (Annotated[list[int], MinLen(1)], {"type": "array", "items": {"type": "integer"}, "minItems": 1}),
        (Decimal, {"type": "string", "format": "decimal"}),
        (datetime, {"type": "string", "format": "date-time"}),
        (bytes, {"type": "string", "contentEncoding": "base64"}),
        (Colour, {"type": "string", "enum": ["red", "blue"]}),
        (Colour | None, {"type": ["string", "null"], "enum": ["red", "blue", None]}),
        (Literal[1, "a"], {"enum": [1, "a"]}),
        (dict[str, float], {"type": "object", "additionalProperties": {"type": "number"}}),
        (int | str, {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        (Any, {}),
    ],
)  # fmt: skip
def test_the_schema_of_a_value_is_flat(annotation: Any, expected: dict[str, Any]) -> None:
    assert expected == schema_of(annotation)


def test_the_schema_of_a_shape_names_what_is_required_and_the_defaults() -> None:
    shape = Shape("Product", [Field("name", str, REQUIRED, "What it is called."), Field("stock", int, 0),
                              Field("tags", list[str], list)])  # fmt: skip

    assert shape.schema() == {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "What it is called."},
            "stock": {"type": "integer", "default": 0},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["name"],
        "additionalProperties": False,
    }
    assert "required" not in shape.schema(partial=True)


@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.floats() | st.text()))
def test_whatever_is_given_the_answer_is_a_record_or_a_refusal(values: dict[str, Any]) -> None:
    try:
        result = PRODUCT.check(values)
    except InvalidInputError as error:
        result = {}
        values = {} if error.problems else values

    assert values == result


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda items: st.lists(items) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), items),
    max_leaves=10,
)  # fmt: skip


@given(JSON)
def test_json_comes_back_as_it_went(value: Any) -> None:
    assert value == decode_json(encode_json(value))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("1.50"), b'"1.50"'),
        (MOMENT, b'"2024-05-06T07:08:09.000010Z"'),
        (timedelta(hours=1), b'"PT3600S"'),
        (b"\x00\xff", b'"AP8="'),
        (ID, b'"0190163d-8694-739b-aea5-966c26f8ad91"'),
        (Colour.RED, b'"red"'),
        (Marked("a"), b'"a"'),
        ({"a": (1, None)}, b'{"a":[1,null]}'),
    ],
)
def test_a_value_is_written_as_json_says_it(value: Any, expected: bytes) -> None:
    assert expected == encode_json(value)
    assert decode_json(expected) == plain(value)


@pytest.mark.parametrize("value", [object(), "\ud800"])
def test_a_value_that_json_cannot_say_is_an_error_of_ours(value: Any) -> None:
    with pytest.raises(NotJSONError):
        encode_json(value)


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[1,]", b"NaN", b"Infinity", b"1e999", b'"\\ud800"', b"\xff", b'"\xff"', b"[" * 100_000, b"{'a': 1}",
     b'{"a":' * 5000 + b"1" + b"}" * 5000],
)  # fmt: skip
def test_broken_json_is_one_malformed_error(text: bytes) -> None:
    with pytest.raises(MalformedJSONError) as caught:
        decode_json(text)

    assert caught.value.code == "malformed_json"


def test_depth_is_limited_alike_on_every_python_and_brackets_in_text_do_not_count() -> None:
    deepest = b"[" * 500 + b"]" * 500
    text = [{"note": "[" * 900}] * 3

    assert decode_json(deepest)
    assert decode_json(encode_json(text)) == text
    with pytest.raises(MalformedJSONError, match="deeper than 500 levels"):
        decode_json(b"[" + deepest + b"]")
