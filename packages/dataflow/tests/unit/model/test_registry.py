"""Models by name."""

from __future__ import annotations

import threading
from typing import Annotated, Any

import pytest

from dataflow.errors import ModelError, UnknownModelError
from dataflow.model.declare import declare
from dataflow.model.registry import Models
from dataflow.model.spec import ForeignKey, ModelSpec


def spec(name: str, annotations: dict[str, Any], **body: Any) -> ModelSpec:
    """The spec of a new class."""
    return declare(type(name, (), {"__annotations__": annotations, "__module__": "shop", **body}))


def test_the_same_declaration_again_is_the_same_model() -> None:
    models = Models()
    body = {"tags": [], "made": lambda: "x"}

    first = models.register(spec("Product", {"name": str, "tags": list, "made": str}, **body))
    again = models.register(spec("Product", {"name": str, "tags": list, "made": str}, **body))

    assert again is first
    assert models.revision == 1


def test_another_declaration_of_the_name_takes_its_place() -> None:
    models = Models()
    first = models.register(spec("Product", {"name": str}))

    second = models.register(spec("Product", {"name": str, "price": float}))

    assert models["Product"] is second
    assert second is not first
    assert models.revision == 2
    assert len(models) == 1
    assert "price" in models.metadata.tables["products"].c
    assert "price" not in first.table.c


def test_an_unknown_model_is_an_error_with_the_closest_name() -> None:
    models = Models()
    models.register(spec("Product", {"name": str}))

    with pytest.raises(UnknownModelError, match=r"'Prodct'.*did you mean 'Product'"):
        models["Prodct"]
    assert "Product" in models
    assert "Prodct" not in models


def test_two_models_cannot_share_a_table() -> None:
    models = Models()
    models.register(spec("Person", {"name": str}))

    with pytest.raises(ModelError, match="Person and Somebody would share the table 'People'"):
        models.register(spec("Somebody", {"name": str}, __tablename__="People"))


def test_the_table_is_made_once() -> None:
    models = Models()
    model = models.register(spec("Product", {"name": str}))

    assert model.table is model.table
    assert models.metadata.tables["products"] is model.table
    assert (model.name, models.names) == ("Product", ("Product",))


def test_a_foreign_key_follows_the_table_name_of_its_target() -> None:
    models = Models()
    models.register(spec("Order", {"customer_id": Annotated[int, ForeignKey("Customer")]}))
    models.register(spec("Customer", {"name": str}, __tablename__="clients"))

    (key,) = models.metadata.tables["orders"].foreign_keys
    assert key.column.table.name == "clients"


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("Custmer.id", "unknown model 'Custmer'; did you mean 'Customer'"),
        ("Customer.idd", "no such field; did you mean 'id'"),
        ("Customer.name", "not unique"),
        ("Customer.email", "is int, and Customer.email is str"),
    ],
)
def test_a_foreign_key_that_points_nowhere_is_refused(target: str, words: str) -> None:
    models = Models()
    unique = [{"fields": ["email"], "unique": True}]
    models.register(spec("Customer", {"name": str, "email": str}, __indexes__=unique))
    models.register(spec("Order", {"customer_id": Annotated[int, ForeignKey(target)]}))

    with pytest.raises(ModelError, match=words):
        _ = models.metadata


def test_threads_that_register_together_leave_nothing_out() -> None:
    models = Models()
    ready = threading.Barrier(8)

    def register(number: int) -> None:
        ready.wait()
        for each in range(20):
            models.register(spec(f"Model{number}x{each}", {"name": str}))
            _ = models[f"Model{number}x{each}"].table

    threads = [threading.Thread(target=register, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(models), models.revision) == (160, 160)
    assert len(models.metadata.tables) == 160
