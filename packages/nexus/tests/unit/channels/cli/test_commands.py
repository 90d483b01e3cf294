from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kailash.capability import Capability
from kailash.shapes import Field, Shape
from nexus import Nexus, testing
from nexus.testing import NotesProvider

Run = Callable[..., Any]


def test_create_gives_the_stored_record(run: Run, provider: NotesProvider) -> None:
    ran = run(["notes", "create", "--title", "$txn.id ' OR 1=1 --", "--stars", "5", "--done", "--tags", "a,b"])

    assert (ran.code, ran.err) == (0, "")
    assert ran.value == {
        "id": 4,
        "title": "$txn.id ' OR 1=1 --",
        "body": None,
        "stars": 5,
        "done": True,
        "tags": ["a", "b"],
        "created_at": "2026-01-01T00:00:00Z",
    }
    assert provider.notes[4]["title"] == "$txn.id ' OR 1=1 --"


def test_set_takes_json_that_flags_cannot_say(run: Run) -> None:
    ran = run(["notes", "create", "--title", "x", "--set", '{"body": null, "tags": ["a,b"]}', "--set", "stars=3"])

    assert tuple(ran.value[name] for name in ("title", "body", "tags", "stars")) == ("x", None, ["a,b"], 3)


def test_set_reads_standard_input(run: Run) -> None:
    assert run("notes create --set -", input='{"title": "from a pipe"}').value["title"] == "from a pipe"


def test_get_gives_one_record(run: Run) -> None:
    ran = run("notes get 2")

    assert ran.value["title"] == "bread"
    assert "found" not in ran.value


def test_list_gives_what_rest_gives(run: Run) -> None:
    ran = run("notes list --sort -stars --limit 2")

    assert [each["title"] for each in ran.value["items"]] == ["tea", "bread"]
    assert ran.value["next"] is not None


@pytest.mark.parametrize(
    "words",
    [
        ["--stars-gte", "1"],
        ["--stars", "1", "--stars-in", "1,2"],
        ["--where", "stars__gte=1"],
        ["--where", "stars__between=1,2"],
        ["--filter", '{"stars": {"$gte": 1}}'],
        ["--filter", '{"$or": [{"stars": 1}, {"title": "tea"}]}'],
        ["--filter", '{"stars": {"$gte": 0}}', "--title-ne", "milk"],
    ],
)
def test_every_spelling_of_a_filter_is_understood(run: Run, words: list[str]) -> None:
    wanted = {"bread"} if words[0] == "--stars" else {"bread", "tea"}

    assert wanted == {each["title"] for each in run(["notes", "list", *words]).value["items"]}


def test_total_is_given_when_asked_for(run: Run) -> None:
    assert run("notes list --limit 1 --count exact").value["total"] == 3
    assert "total" not in run("notes list").value


def test_all_goes_through_every_page(run: Run) -> None:
    assert len(run("notes list --all --limit 1 -o ndjson").lines) == 3
    assert {name: value for name, value in run("notes list --all --limit 2").value.items() if name == "next"} == {
        "next": None
    }


def test_all_holds_one_page_at_a_time(run: Run, provider: NotesProvider) -> None:
    run("notes list --all --limit 1 -o csv")

    assert [given.get("cursor") for action, given in provider.asked if action == "list"] == [None, "1", "2"]


def test_update_changes_the_given_fields_and_leaves_the_rest(run: Run) -> None:
    ran = run("notes update 2 --stars 9")

    assert (ran.value["title"], ran.value["stars"]) == ("bread", 9)
    assert not {"updated", "rows_affected"} & ran.value.keys()


def test_a_boolean_flag_may_stand_alone(run: Run) -> None:
    run("notes update 1 --done")

    assert run("notes count --done").value == {"count": 1}
    assert run("notes count --done false --stars-gte 0").value == {"count": 2}


def test_count_counts(run: Run) -> None:
    assert run("notes count --stars-gte 1").value == {"count": 2}
    assert run("notes count --stars-gte 1 -o table").out == "2\n"


def test_upsert_knows_its_record_by_the_named_field(run: Run) -> None:
    changed = run("notes upsert --title tea --stars 7 --conflict-on title").value
    made = run("notes upsert --title jam --stars 1 --conflict-on title").value

    assert (changed["created"], changed["record"]["stars"], made["created"]) == (False, 7, True)


def test_upsert_spelled_out(run: Run) -> None:
    words = ["--match", '{"title": "tea"}', "--create", '{"stars": 1}', "--update", '{"stars": 8}']

    assert run(["notes", "upsert", *words]).value["record"]["stars"] == 8


def test_upsert_says_which_field_of_conflict_on_is_missing(run: Run) -> None:
    ran = run("notes upsert --stars 7 --conflict-on title -o json")

    assert (ran.code, ran.problem["errors"][0]["field"]) == (2, "title")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("n.json", '[{"title": "a", "stars": 1}, {"title": "b"}]'),
        ("n.json", '{"items": [{"title": "a", "stars": 1}, {"title": "b"}], "next": null}'),
        ("n.ndjson", '{"title": "a", "stars": 1}\n\n{"title": "b"}\n'),
        ("n.csv", "\ufefftitle,stars\r\na,1\r\nb,\r\n"),
        ("n", '[{"title": "a", "stars": 1}, {"title": "b"}]'),
        ("n", '{"title": "a", "stars": 1}\n{"title": "b"}'),
        ("n", "title,stars\na,1\nb,\n"),
    ],
)
def test_bulk_create_reads_each_kind_of_file(
    run: Run, provider: NotesProvider, tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")

    from_file = run(["notes", "bulk-create", "--file", str(tmp_path / name)])

    assert (from_file.code, from_file.value["inserted"]) == (0, 2)
    assert [(note["title"], note["stars"]) for note in list(provider.notes.values())[3:]] == [("a", 1), ("b", 0)]


def test_bulk_create_reads_standard_input(run: Run) -> None:
    assert run("notes bulk-create --file -", input='[{"title": "a"}]').value["inserted"] == 1


def test_a_bad_cell_is_named_by_row_and_column_and_nothing_is_written(run: Run, provider: NotesProvider) -> None:
    ran = run("notes bulk-create -f - -o json", input="title,stars\na,1\nb,many\nc,2,3\n")

    assert (ran.code, ran.problem["code"]) == (2, "invalid_input")
    assert [each["field"] for each in ran.problem["errors"]] == ["1.stars", "2"]
    assert len(provider.notes) == 3


def test_bulk_update_by_filter(run: Run) -> None:
    ran = run(["notes", "bulk-update", "--filter", '{"stars": {"$gte": 1}}', "--set", '{"done": true}'])

    assert ran.value["updated"] == 2


def test_bulk_update_by_file(run: Run) -> None:
    assert run("notes bulk-update -f -", input='[{"id": 1, "stars": 5}, {"id": 2, "stars": 6}]').value["updated"] == 2


def test_bulk_upsert(run: Run) -> None:
    ran = run("notes bulk-upsert -f -", input='[{"title": "tea"}, {"title": "jam"}]')

    assert (ran.value["inserted"], ran.value["updated"]) == (1, 1)


def test_bulk_delete_by_filter_and_by_ids(run: Run, provider: NotesProvider) -> None:
    assert run("notes bulk-delete --stars 0 --yes").value["deleted"] == 1
    assert run("notes bulk-delete --ids 2,3 --yes").value["deleted"] == 2
    assert provider.notes == {}


def test_bulk_delete_of_everything_needs_to_be_said(run: Run, provider: NotesProvider) -> None:
    refused = run("notes bulk-delete --yes -o json")

    assert "--all" in refused.problem["hint"]
    assert (refused.code, refused.problem["code"], len(provider.notes)) == (6, "unconfirmed", 3)
    assert run("notes bulk-delete --all --yes").value["deleted"] == 3


@pytest.mark.parametrize("words", ["notes delete 1", "notes bulk-delete --stars 1"])
def test_a_destructive_command_needs_yes_where_nobody_can_be_asked(
    run: Run, provider: NotesProvider, words: str
) -> None:
    ran = run(words)

    assert (ran.code, ran.out, len(provider.notes)) == (6, "", 3)
    assert "--yes" in ran.err


@pytest.mark.parametrize(
    "words",
    [
        "notes create --title x --dry-run",
        "notes update 1 --stars 4 --dry-run",
        "notes delete 1 --dry-run",
        "notes upsert --title tea --stars 4 --conflict-on title --dry-run",
        "notes bulk-update --stars 1 --set stars=3 --dry-run",
        "notes bulk-delete --stars 1 --dry-run",
        "notes bulk-create -f - --dry-run",
    ],
)
def test_a_dry_run_changes_nothing(run: Run, provider: NotesProvider, words: str) -> None:
    before = json.dumps(provider.notes, default=str)

    ran = run(words, input='[{"title": "x"}]')

    assert (0, before) == (ran.code, json.dumps(provider.notes, default=str))
    assert "dry run" in ran.err


def test_a_dry_run_tells_what_it_would_meet(run: Run) -> None:
    assert run("notes delete 1 --dry-run").value["title"] == "milk"
    assert run("notes bulk-delete --stars-gte 1 --dry-run").value == {"count": 2}
    assert run("notes delete 77 --dry-run").code == 4
    assert run("notes create --stars 1 --dry-run").code == 2


@pytest.mark.parametrize(
    ("words", "exit_code", "code"),
    [
        (["prodcts", "list"], 2, "no_such_capability"),
        (["notes", "lst"], 2, "no_such_capability"),
        (["notes", "get", "77"], 4, "record_not_found"),
        (["notes", "get", "abc"], 2, "invalid_input"),
        (["notes", "get"], 2, "usage"),
        (["notes", "create", "--stars", "1"], 2, "invalid_input"),
        (["notes", "create", "--title", "x", "--stars", "many"], 2, "invalid_input"),
        (["notes", "create", "--title", "x", "--color", "red"], 2, "invalid_input"),
        (["notes", "create", "--title", "tea"], 5, "duplicate"),
        (["notes", "create", "--set", "{"], 2, "malformed_json"),
        (["notes", "create", "--set", '{"stars": NaN}'], 2, "malformed_json"),
        (["notes", "create", "--set", "[1]"], 2, "invalid_input"),
        (["notes", "list", "--color", "red"], 2, "invalid_filter"),
        (["notes", "list", "--stars-near", "3"], 2, "invalid_filter"),
        (["notes", "list", "--where", "color=red"], 2, "invalid_filter"),
        (["notes", "list", "--where", "stars"], 2, "invalid_input"),
        (["notes", "list", "--stars", "many"], 2, "invalid_filter"),
        (["notes", "list", "--filter", "{"], 2, "malformed_json"),
        (["notes", "list", "--filter", '{"a":' * 2000 + "1" + "}" * 2000], 2, "malformed_json"),
        (["notes", "list", "--output", "xml"], 2, "usage"),
        (["notes", "bulk-create"], 2, "usage"),
        (["notes", "bulk-create", "-f", "/nowhere"], 2, "no_such_file"),
        (["notes", "delete", "77", "--yes"], 4, "record_not_found"),
    ],
)
def test_bad_words_get_a_code_and_an_exit_code_and_write_nothing(
    run: Run, provider: NotesProvider, words: list[str], exit_code: int, code: str
) -> None:
    ran = run(["-o", "json", *words])

    assert (exit_code, code, "", 3) == (ran.code, ran.problem["code"], ran.out, len(provider.notes))


def test_an_unknown_word_is_answered_with_the_closest(run: Run) -> None:
    assert "'notes'" in run("nots list").err
    assert "'bulk-delete'" in run("notes bulk-delet").err
    assert "'--title'" in run("notes list --titel x").err


def test_every_bad_flag_is_reported(run: Run) -> None:
    ran = run("notes create --title x --stars many --done maybe -o json")

    assert {"stars", "done"} == {each["field"] for each in ran.problem["errors"]}


def test_errors_are_sentences_unless_json_was_asked_for(run: Run) -> None:
    ran = run("notes get 77")

    assert ran.err == "error: no note has the id 77\nhint: list the notes to see their ids\n"


def test_quiet_leaves_values_alone(run: Run) -> None:
    assert "--cursor" in run("notes list --limit 1 -o csv").err
    assert run("notes list --limit 1 -o csv --quiet").err == ""
    assert run("--quiet notes list --limit 1 -o csv").err == ""


def test_verbose_tells_what_was_done(run: Run) -> None:
    assert "notes.count took" in run("notes count --verbose").err


def test_underscores_and_dashes_are_the_same_word(run: Run) -> None:
    application = Nexus()
    application.add(testing.notes_provider("order_items"))

    assert "order-items" in run("--help", on=application).out
    assert run("order_items list", on=application).code == 0
    assert run("order-items bulk_create -f -", on=application, input="[]").code == 0


def test_a_resource_named_like_a_command_is_reached_through_model(run: Run) -> None:
    application = Nexus()
    application.add(testing.notes_provider("routes"))

    assert run("model routes count", on=application).value == {"count": 0}


def test_the_prefix_of_the_application_is_a_word(run: Run) -> None:
    application = Nexus(dataflow_config={"cli_command_prefix": "shop"})
    application.add(testing.notes_provider())

    assert run("shop notes count", on=application).value == {"count": 0}
    assert run("notes count", on=application).value == {"count": 0}


def test_hidden_capabilities_are_no_commands(run: Run) -> None:
    application = Nexus(dataflow_config={"expose_bulk_operations": False})
    application.add(testing.notes_provider())

    assert "bulk-create" not in run("notes --help", on=application).out
    assert run("notes bulk-create -f -", on=application).code == 2


def test_an_application_may_switch_its_command_line_off(run: Run) -> None:
    assert (
        (ran := run("notes list -o json", on=Nexus(enable_cli=False))).code,
        ran.problem["code"],
    ) == (8, "not_available")


def test_formats_that_are_switched_off_are_refused(run: Run) -> None:
    application = Nexus(dataflow_config={"enable_output_formats": ["csv"]})
    application.add(testing.notes_provider())

    assert run("notes count -o json", on=application).code == 2
    assert run("notes count", on=application).out == "count\n0\n"


AWKWARD = Shape(
    "Awkward",
    [Field("id", int), *(Field(name, str, "") for name in ("limit", "sort", "file", "output", "set", "all", "help"))],
)


@pytest.fixture
def awkward() -> tuple[Nexus, NotesProvider]:
    """An application whose records have fields named like options."""
    provider = NotesProvider("awkwards", AWKWARD)
    application = Nexus()
    application.add(provider)
    return application, provider


def test_a_field_named_like_an_option_can_be_written(run: Run, awkward: tuple[Nexus, NotesProvider]) -> None:
    application, provider = awkward
    words = "--limit a --field-sort b --file c --field-output d --field-set e --all f --field-help g"

    assert run(f"awkwards create {words}", on=application).code == 0
    assert list(provider.notes[1].values())[1:] == ["a", "b", "c", "d", "e", "f", "g"]


def test_a_field_named_like_an_option_has_one_name_in_every_command(
    run: Run, awkward: tuple[Nexus, NotesProvider]
) -> None:
    application, _ = awkward
    run("awkwards create --field-limit 5", on=application)

    for words in (
        "list --field-limit 5 --limit 1 -o ndjson",
        "count --field-limit 5",
        "update 1 --field-limit 5 --dry-run",
    ):
        assert run(f"awkwards {words}", on=application).code == 0
    assert "--field-limit" in run("awkwards update --help", on=application).out


def test_a_field_named_like_an_option_can_be_filtered_by(run: Run, awkward: tuple[Nexus, NotesProvider]) -> None:
    application, _ = awkward
    run("awkwards create --limit 5 --sort x", on=application)
    run("awkwards create --limit 6 --sort y", on=application)

    for words in ("--field-limit 5", "--limit-eq 5", "--where limit=5", "--where sort__startswith=x", "--field-sort x"):
        assert [each["id"] for each in run(f"awkwards list {words} --limit 9", on=application).value["items"]] == [1]


def test_every_capability_says_what_it_takes(run: Run, application: Nexus) -> None:
    words = {"read": "get"}
    for capability in application.catalogue.values():
        assert isinstance(capability, Capability)
        word = words.get(capability.action, capability.action.replace("_", "-"))
        ran = run(f"notes {word} --help")
        assert (ran.code, capability.summary in ran.out) == (0, True)
