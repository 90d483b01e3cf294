"""Declarations: what a class becomes, and what is refused where its author sees it."""

from __future__ import annotations

import dataclasses
import enum
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Optional
from uuid import UUID

import msgspec
import pytest
from annotated_types import Ge, MaxLen, Timezone

from dataflow.errors import ModelError
from dataflow.model import identity
from dataflow.model.declare import declare
from dataflow.model.spec import FieldSpec, ForeignKey, IndexSpec, ModelSpec
from kailash.errors import InvalidInputError
from kailash.shapes import REQUIRED


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Mixed(enum.Enum):
    ONE = 1
    TWO = "two"


def declared(annotations: dict[str, Any], **body: Any) -> ModelSpec:
    """The spec of a class of the name Thing."""
    return declare(type("Thing", (), {"__annotations__": annotations, "__module__": __name__, **body}))


def field(annotation: Any, *default: Any) -> FieldSpec:
    """The spec of one field."""
    return declared({"value": annotation}, **({"value": default[0]} if default else {})).by_name["value"]


def test_a_plain_class_becomes_a_spec() -> None:
    class Product:
        name: str
        price: float
        stock: int = 0
        category: str  # after a field with a default
        active: bool = True

    spec = declare(Product)

    assert (spec.name, spec.table, spec.module) == ("Product", "products", __name__)
    names = ["id", "name", "price", "stock", "category", "active", "created_at", "updated_at"]
    assert list(spec.by_name) == names
    assert [f.default for f in spec.fields] == [REQUIRED, REQUIRED, REQUIRED, 0, REQUIRED, True, REQUIRED, REQUIRED]
    assert spec.managed == ("created_at", "updated_at")
    assert spec.autoincrement
    assert list(spec.settable.fields) == names[:-2]
    assert list(spec.record.fields) == names


def test_declaring_imports_no_sqlalchemy() -> None:
    code = (
        "import sys\nfrom dataflow.model.declare import declare\nfrom dataflow.model.registry import Models\n"
        "Models().register(declare(type('A', (), {'__annotations__': {'name': str}})))\n"
        "assert not {'sqlalchemy', 'asyncio', 'pydantic'} & set(sys.modules), sorted(sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stderr == ""


# -- ids and time stamps -------------------------------------------------------------------------------------


def test_an_int_id_is_counted_by_the_database() -> None:
    spec = declared({"id": int, "name": str})

    assert spec.by_name["id"].autoincrement
    assert spec.by_name["id"].primary_key
    assert spec.settable.fill({"name": "a"}) == {"id": None, "name": "a"}


@pytest.mark.parametrize("annotation", [Optional[int], int | None])  # noqa: UP045 - both spellings are tested
def test_an_id_that_may_be_left_out_is_never_null(annotation: Any) -> None:
    id = declared({"id": annotation, "name": str}, id=None).by_name["id"]

    assert (id.nullable, id.annotation, id.autoincrement) == (False, int, True)


@pytest.mark.parametrize(("kind", "made"), [(str, identity.new_text), (UUID, identity.new_uuid)])
def test_another_id_is_made_where_it_is_not_given(kind: type, made: Any) -> None:
    spec = declared({"id": kind, "name": str})

    assert spec.by_name["id"].generated
    assert spec.by_name["id"].default is made
    assert not spec.autoincrement
    first, second = spec.settable.fill({"name": "a"}), spec.settable.fill({"name": "a"})
    assert isinstance(first["id"], kind)
    assert first["id"] != second["id"]


def test_an_id_may_have_a_maker_of_its_own() -> None:
    spec = declared({"id": str}, id=lambda: "x1")

    assert not spec.by_name["id"].generated
    assert spec.settable.fill({}) == {"id": "x1"}


def test_time_stamps_that_a_model_declares_are_its_own() -> None:
    spec = declared({"name": str, "created_at": str | None}, created_at=None)

    assert spec.by_name["created_at"].python_type is str
    assert spec.managed == ("updated_at",)
    assert "created_at" in spec.settable.fields


@pytest.mark.parametrize(("written", "read"), [(str, datetime.fromisoformat), (datetime, lambda value: value)])
def test_a_time_stamp_of_the_models_own_begins_with_the_time(written: type, read: Callable[[Any], datetime]) -> None:
    spec = declared({"name": str, "created_at": written})

    made = spec.by_name["created_at"].default()

    assert abs(read(made) - datetime.now(UTC)) < timedelta(minutes=5)
    assert spec.settable.check({"name": "x", "created_at": made})["created_at"] == made


# -- types ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotation", "python_type", "nullable"),
    [
        (str, str, False),
        (str | None, str, True),
        (Optional[Decimal], Decimal, True),  # noqa: UP045 - the older spelling is tested
        (Annotated[int, Ge(0)] | None, int, True),
        (Annotated[int | None, Ge(0)], int, True),
        (list[str], list, False),
        (list[dict[str, Any]], list, False),
        (list[int | str], list, False),
        (dict[str, list[Decimal]], dict, False),
        (Colour, Colour, False),
        (Literal["a", "b"], str, False),
        (Literal[1, 2] | None, int, True),
        (bytes, bytes, False),
    ],
)
def test_a_type_is_known_without_its_trimmings(annotation: Any, python_type: Any, nullable: bool) -> None:
    spec = field(annotation)

    assert (spec.python_type, spec.nullable) == (python_type, nullable)
    assert spec.default is (None if nullable else REQUIRED)


def test_the_length_of_text_and_the_zone_of_a_datetime_are_known() -> None:
    assert field(Annotated[str, MaxLen(20)]).max_length == 20
    assert field(Annotated[list[str], MaxLen(20)]).max_length is None
    assert field(Annotated[datetime, Timezone(None)]).naive
    assert not field(datetime).naive


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (complex, "is of type complex, which has no column type"),
        (Any, "has no column type"),
        (object, "has no column type"),
        (set[int], "has no column type"),
        (int | str, "has no column type"),
        (list[complex], "an item of field 'value' of model Thing is of type complex"),
        (dict[int, str], "must have str as keys"),
        (Mixed, "must be all str or all int"),
        (Literal["a", 1], "must be all str or all int or all bool"),
        ("Missing", "names 'Missing', which is not defined"),
    ],
)
def test_a_type_without_a_column_is_refused(annotation: Any, words: str) -> None:
    with pytest.raises(ModelError) as caught:
        field(annotation)

    assert words in str(caught.value)
    assert "Thing" in str(caught.value)


def test_annotations_may_name_what_is_local_to_the_function() -> None:
    class Size(enum.Enum):
        SMALL = "s"

    class Shirt:
        size: Size
        sizes: list[Size]

    assert declare(Shirt).by_name["size"].python_type is Size


def test_bases_give_their_fields_first() -> None:
    class Named:
        name: str

    class Product(Named):
        price: float
        counter: ClassVar[int] = 5

    assert list(declare(Product).by_name)[1:3] == ["name", "price"]
    assert "counter" not in declare(Product).by_name


# -- defaults ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotation", "given", "default"),
    [
        (float, 0, 0.0),
        (Colour, "red", Colour.RED),
        (Colour, Colour.BLUE, Colour.BLUE),
        (Decimal, "1.50", Decimal("1.50")),
        (datetime, "2024-01-01", datetime(2024, 1, 1, tzinfo=UTC)),
        (str | None, None, None),
        (int, msgspec.field(default=3), 3),
        (int, dataclasses.field(default=3), 3),
    ],
)
def test_a_default_has_the_declared_type(annotation: Any, given: Any, default: Any) -> None:
    made = field(annotation, given).default

    assert made == default
    assert type(made) is type(default)


@pytest.mark.parametrize(
    "given",
    [[], [1], list, lambda: [1], dataclasses.field(default_factory=list), msgspec.field(default_factory=list)],
)
def test_each_record_has_a_list_of_its_own(given: Any) -> None:
    make = field(list, given).default

    first, second = make(), make()
    first.append("x")

    assert "x" not in second


def test_a_default_of_pydantic_is_understood_with_its_limits() -> None:
    pydantic = pytest.importorskip("pydantic")
    spec = declared(
        {"price": float, "tags": list[str], "name": Annotated[str, pydantic.Field(default="new", max_length=5)]},
        price=pydantic.Field(1, ge=0, description="In euros."),
        tags=pydantic.Field(default_factory=list),
    )

    assert spec.settable.fill({"id": 1}) == {"id": 1, "price": 1.0, "tags": [], "name": "new"}
    assert spec.by_name["name"].max_length == 5
    assert spec.settable.schema()["properties"]["price"]["description"] == "In euros."
    with pytest.raises(InvalidInputError, match="at least 0"):
        spec.settable.check({"price": -1}, partial=True)


def test_classes_of_other_libraries_are_models_too() -> None:
    pydantic = pytest.importorskip("pydantic")

    @dataclasses.dataclass(slots=True)
    class Product:
        name: str
        stock: int = 0
        tags: list[str] = dataclasses.field(default_factory=list)

    product = Product
    struct = msgspec.defstruct("Product", [("name", str), ("stock", int, 0), ("tags", list[str], [])])
    model = pydantic.create_model("Product", name=(str, ...), stock=(int, 0), tags=(list[str], []))

    for cls in (product, struct, model):
        assert declare(cls).settable.fill({"name": "a"}) == {"id": None, "name": "a", "stock": 0, "tags": []}


@pytest.mark.parametrize(
    ("annotation", "given", "words"),
    [
        (int, "five", "the default of field 'value' of model Thing must be a whole number, not text"),
        (str, None, "the default of field 'value' of model Thing is None"),
        (Annotated[int, Ge(0)], -1, "must be at least 0"),
    ],
)
def test_a_default_that_no_record_could_have_is_refused(annotation: Any, given: Any, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        field(annotation, given)


def test_what_a_default_function_makes_is_checked() -> None:
    with pytest.raises(ModelError, match="'value' of model Thing must be text"):
        field(str, lambda: 5).default()


# -- names ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("_secret", "begins with an underscore"),
        ("price__gte", "two underscores"),
        ("x" * 64, "longer than 63 bytes"),
        ("é" * 32, "longer than 63 bytes"),
        ("xmin", "reserved: PostgreSQL has it"),
        ("ROWID", "reserved: SQLite has it"),
        ("ordinal_", "reserved"),
    ],
)
def test_a_field_name_of_no_use_is_refused(name: str, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        declared({name: str})


def test_fields_that_differ_in_case_alone_are_refused() -> None:
    with pytest.raises(ModelError, match="Name and name"):
        declared({"Name": str, "name": str})


@pytest.mark.parametrize("kind", [float, Decimal, list, bool])
def test_an_id_of_another_type_is_refused(kind: type) -> None:
    with pytest.raises(ModelError, match="must be int, str or UUID"):
        declared({"id": kind})


def test_an_id_that_all_records_would_share_is_refused() -> None:
    with pytest.raises(ModelError, match="every record would share"):
        declared({"id": str}, id="x")


def test_a_class_without_fields_is_refused() -> None:
    with pytest.raises(ModelError, match="Thing has no fields"):
        declared({})


def test_what_is_no_class_is_refused() -> None:
    with pytest.raises(ModelError, match="a model is a class"):
        declare("Product")  # type: ignore[arg-type]  # what a careless author writes


@pytest.mark.parametrize(
    ("name", "words"),
    [("", "printable"), ('order"items', "printable"), ("a.b", "printable"), ("x" * 64, "at most 63"),
         ("sqlite_x", "reserved"),
     ("dataflow_x", "reserved"), (5, "printable")],
)  # fmt: skip
def test_a_table_name_of_no_use_is_refused(name: Any, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        declared({"name": str}, __tablename__=name)


def test_a_model_name_too_long_for_a_table_asks_for_another() -> None:
    with pytest.raises(ModelError, match="set a shorter __tablename__"):
        declare(type("X" * 70, (), {"__annotations__": {"name": str}}))


def test_a_table_name_of_the_authors_own_is_kept_and_not_inherited() -> None:
    base = type("Base", (), {"__annotations__": {"name": str}, "__tablename__": "old_things"})
    heir = type("Heir", (base,), {"__annotations__": {"more": str}})

    assert declare(base).table == "old_things"
    assert declare(heir).table == "heirs"


# -- indexes, options, relations -----------------------------------------------------------------------------


def test_indexes_are_named_where_they_have_no_name() -> None:
    said = [{"fields": ["sku"], "unique": True}, {"fields": ("category", "price")}, {"fields": "sku", "name": "by_sku"}]

    spec = declared({"sku": str, "category": str, "price": float}, __indexes__=said)

    assert spec.indexes == (
        IndexSpec("uq_things_sku", ("sku",), unique=True),
        IndexSpec("ix_things_category_price", ("category", "price")),
        IndexSpec("by_sku", ("sku",)),
    )


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([{"fields": ["nme"]}], "did you mean 'name'"),
        ([{"fields": []}], "has no fields"),
        ([{"columns": ["name"]}], "unknown key 'columns'"),
        ([{"fields": ["name"], "unique": 1}], "must be True or False"),
        ([{"fields": ["name", "name"]}], "a field twice"),
        ([{"fields": ["name"]}, {"fields": ["name"]}], "'ix_things_name' twice"),
        ([{"fields": ["name"], "name": "x" * 64}], "of no use"),
        (["name"], "must be a dict"),
        ("name", "must be a list"),
    ],
)
def test_an_index_that_makes_no_sense_is_refused(said: Any, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        declared({"name": str}, __indexes__=said)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"audit_log": "yes"}, "'audit_log'.*True or False"),
        ({"cache": -1}, "number of seconds"),
        ({"encrypted": ["sttus"]}, "not a field"),
        ({"encrypted": ["id"]}, "is a key"),
        ({"workflow_events": ["statsu_change"]}, "unknown event 'statsu_change'"),
    ],
)
def test_an_option_of_the_wrong_kind_is_refused(said: Any, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        declared({"status": str}, __dataflow__=said)


@pytest.mark.parametrize(
    ("said", "words"), [({"multitenant": True}, "did you mean 'multi_tenant'"), ([1], "must be a dict")]
)
def test_an_unknown_option_is_refused(said: Any, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        declared({"name": str}, __dataflow__=said)


@pytest.mark.parametrize("name", ["__index__", "__table_name__", "__data_flow__"])
def test_a_setting_that_would_be_ignored_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match="did you mean __"):
        declared({"name": str}, **{name: "x"})


def test_a_foreign_key_points_to_a_field_of_a_model() -> None:
    customer = type("Customer", (), {})

    assert field(Annotated[int, ForeignKey("Customer.id", on_delete="cascade")]).foreign_key == ForeignKey(
        "Customer.id", "cascade"
    )
    assert field(Annotated[int, ForeignKey("Customer")]).foreign_key == ForeignKey("Customer.id")
    assert field(Annotated[int, ForeignKey(customer)] | None).foreign_key == ForeignKey("Customer.id")


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (Annotated[int, ForeignKey("customer table")], 'write "Customer.id"'),
        (Annotated[int, ForeignKey("a.b.c")], 'write "Customer.id"'),
        (Annotated[int, ForeignKey("Customer", "explode")], "on_delete='explode'"),
        (Annotated[int, ForeignKey("Customer", "set null")], "cannot be null"),
        (Annotated[str, msgspec.Meta(pattern="a")], None),
    ],
)
def test_a_foreign_key_that_makes_no_sense_is_refused(annotation: Any, words: str | None) -> None:
    if words is None:
        assert field(annotation).foreign_key is None
        return
    with pytest.raises(ModelError, match=words):
        field(annotation)


def test_a_constraint_that_makes_no_sense_is_refused() -> None:
    pydantic = pytest.importorskip("pydantic")

    with pytest.raises(ModelError, match="annotation of field 'value' of model Thing makes no sense"):
        field(Annotated[str, pydantic.StringConstraints(to_lower=True)])
