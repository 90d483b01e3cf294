"""One table says what each kind of error is on each wire."""

from __future__ import annotations

import pytest

from kailash.errors import InvalidInputError, Kind, Problem
from nexus import wire
from nexus.errors import FaultError, TooLargeError


@pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.value)
def test_every_kind_has_a_place_on_every_wire(kind: Kind) -> None:
    row = wire.WIRES[kind]

    assert (row.close, 400 <= row.http < 600, 1 <= row.exit <= 8, row.rpc < -32000) == (
        4000 + row.http,
        True,
        True,
        True,
    )


def test_a_problem_document_names_the_code_the_sentence_and_the_fields() -> None:
    error = InvalidInputError(
        "'price' is missing", hint="give it", problems=[Problem("price", "missing", "is missing")]
    )

    assert wire.problem(error, instance="/api/products", request_id="r1") == {
        "type": "urn:kailash:problem:invalid_input",
        "title": "Unprocessable Content",
        "status": 422,
        "detail": "'price' is missing",
        "code": "invalid_input",
        "hint": "give it",
        "errors": [{"field": "price", "code": "missing", "message": "is missing"}],
        "instance": "/api/products",
        "request_id": "r1",
    }


def test_what_is_not_ours_is_told_without_its_words() -> None:
    ours, fault = TooLargeError("too much"), RuntimeError("password=hunter2")

    assert wire.translated(ours) is ours
    translated = wire.translated(fault)
    assert isinstance(translated, FaultError)
    assert "hunter2" not in str(translated)
    assert (wire.http_status(translated), wire.exit_code(translated)) == (500, 1)
    assert (wire.rpc_code(translated), wire.close_code(translated)) == (-32603, 4500)
