"""The order of the gates, and that a refusal or a fault reaches every witness."""

from __future__ import annotations

import pytest

from kailash.capability import Capability, Catalogue
from kailash.context import Context
from nexus.call import Call, Draft, Outcome
from nexus.errors import DeniedError, NotReadyError
from nexus.pipeline.authenticate import anonymous
from nexus.pipeline.gates import Gates, Witnesses
from nexus.pipeline.pipeline import Pipeline
from nexus.pipeline.validate import Validate
from nexus.testing import NotesProvider, notes_provider


class Noted:
    """A gate and a witness that note that they were passed."""

    def __init__(self, name: str, passed: list[str], refusal: Exception | None = None) -> None:
        self.name, self.passed, self.refusal = name, passed, refusal

    async def __call__(self, draft: Draft) -> Draft:
        self.passed.append(self.name)
        if self.refusal is not None:
            raise self.refusal
        return draft


class Heard:
    def __init__(self, heard: list[Outcome], fault: Exception | None = None) -> None:
        self.heard, self.fault = heard, fault

    async def __call__(self, call: Call, outcome: Outcome) -> None:
        self.heard.append(outcome)
        if self.fault is not None:
            raise self.fault


def pipeline(gates: Gates, witnesses: Witnesses | None = None, notes: NotesProvider | None = None) -> Pipeline:
    catalogue = Catalogue([notes or notes_provider()])
    return Pipeline(lambda call: catalogue.find(call.capability), gates, witnesses)


PLAIN = Gates(authenticate=anonymous, validate=Validate())


async def test_gates_are_passed_in_the_order_of_their_seats() -> None:
    passed: list[str] = []
    seats = ("authenticate", "tenant", "authorize", "limit", "validate", "confirm", "journal")
    gates = Gates(**{seat: Noted(seat, passed) for seat in seats})

    await pipeline(gates).answer(Call("rest", "notes.count"))

    assert passed == list(seats)


async def test_an_answer_is_the_value_of_the_capability() -> None:
    outcome = await pipeline(PLAIN).answer(Call("rest", "notes.create", {"title": "a"}))

    assert (outcome.error, outcome.value["title"]) == (None, "a")


async def test_a_refusal_stops_the_gates_after_it_and_the_capability() -> None:
    passed: list[str] = []
    notes = notes_provider()
    gates = Gates(
        authenticate=anonymous,
        authorize=Noted("authorize", passed, DeniedError("no")),
        validate=Noted("validate", passed),
    )

    outcome = await pipeline(gates, notes=notes).answer(Call("rest", "notes.create", {"title": "a"}))

    assert (passed, notes.notes) == (["authorize"], {})
    assert isinstance(outcome.error, DeniedError)


async def test_witnesses_hear_of_answers_refusals_and_unknown_names() -> None:
    heard: list[Outcome] = []
    made = pipeline(PLAIN, Witnesses(audit=Heard(heard), publish=Heard(heard)))

    await made.answer(Call("rest", "notes.count"))
    await made.answer(Call("rest", "notes.create", {}))
    await made.answer(Call("rest", "notes.crate"))

    assert [each.error.code if each.error else None for each in heard] == [
        None,
        None,
        "invalid_input",
        "invalid_input",
        "no_such_capability",
        "no_such_capability",
    ]


async def test_a_witness_that_fails_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Outcome] = []
    made = pipeline(PLAIN, Witnesses(audit=Heard([], RuntimeError("full disk")), publish=Heard(heard)))

    outcome = await made.answer(Call("rest", "notes.count"))

    assert (outcome.error, len(heard)) == (None, 1)
    assert "full disk" in caplog.text


async def test_an_unknown_capability_suggests_the_nearest() -> None:
    outcome = await pipeline(PLAIN).answer(Call("rest", "notes.crate"))

    assert outcome.error is not None
    assert "notes.create" in outcome.error.hint


async def test_a_fault_is_an_outcome_that_says_nothing_of_itself(caplog: pytest.LogCaptureFixture) -> None:
    gates = Gates(authenticate=anonymous, validate=Noted("validate", [], RuntimeError("password=x")))

    outcome = await pipeline(gates).answer(Call("rest", "notes.count", request_id="r-9"))

    assert outcome.error is not None
    assert (outcome.error.code, "password" in str(outcome.error)) == ("fault", False)
    assert "r-9" in caplog.text


async def test_a_call_is_nobody_in_particular_unless_asked() -> None:
    draft = Draft(Call("cli", "notes.count", request_id="r-1"), notes_capability(), Context(), {})

    admitted = await anonymous(draft)

    assert admitted.context == Context(request_id="r-1", channel="cli")


async def test_a_call_waits_for_the_schema_and_is_refused_when_that_takes_too_long() -> None:
    async def never() -> None:
        raise NotReadyError("the schema is not ready")

    catalogue = Catalogue([notes_provider()])
    made = Pipeline(lambda call: catalogue.find(call.capability), PLAIN, ready=never)

    outcome = await made.answer(Call("rest", "notes.count"))

    assert outcome.error is not None
    assert outcome.error.code == "not_ready"


async def test_a_channel_may_have_a_cap_on_records() -> None:
    gates = Gates(authenticate=anonymous, validate=Validate({"mcp": 2}))
    rows = [{"title": str(number)} for number in range(3)]
    made = pipeline(gates)

    batch = await made.answer(Call("mcp", "notes.bulk_create", {"data": rows}))
    page = await made.answer(Call("mcp", "notes.list", {"limit": 3}))
    elsewhere = await made.answer(Call("rest", "notes.bulk_create", {"data": rows}))

    assert [each.error.code if each.error else None for each in (batch, page, elsewhere)] == [
        "too_large",
        "too_large",
        None,
    ]


def notes_capability() -> Capability:
    return next(iter(notes_provider().capabilities()))
