from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexus.channels.cli import output
from nexus.channels.cli.formats import Format
from nexus.channels.cli.output import Screen


def screen(form: Format, **more: Any) -> Screen:
    return Screen(format=form, stream=io.StringIO(), **more)


def written(target: Screen) -> str:
    text: str = target.stream.getvalue()
    return text


def table(*records: dict[str, Any], **more: Any) -> list[str]:
    target = screen(Format.TABLE, **more)
    output.table(target, records, ("name", "price"))
    return written(target).splitlines()


def test_columns_are_aligned_whatever_the_script() -> None:
    lines = table(
        {"name": "茶", "price": 5}, {"name": "café", "price": Decimal("12.50")}, {"name": "cafe\u0301", "price": None}
    )

    assert lines == ["name  price", "茶        5", "café  12.50", "cafe\u0301"]


def test_a_terminal_gets_no_line_wider_than_it_is() -> None:
    lines = table({"name": "x" * 100, "price": 1}, {"name": "茶" * 100, "price": 2}, terminal=True, width=30)

    assert all(output.cells_wide(line) <= 30 for line in lines)
    assert lines[1].startswith("xxx")
    assert output.ELLIPSIS in lines[1]
    assert lines[1].endswith("1")


def test_more_columns_than_a_terminal_has_room_for_are_cut() -> None:
    target = screen(Format.TABLE, terminal=True, width=20)
    output.table(target, [{f"column{number}": "value" for number in range(10)}], ())

    assert all(output.cells_wide(line) <= 20 for line in written(target).splitlines())


def test_a_pipe_gets_everything() -> None:
    assert "x" * 500 in table({"name": "x" * 500, "price": 1}, width=30)[1]


def test_a_row_cannot_move_the_cursor() -> None:
    lines = table({"name": "a\x1b[2Jb\r\n\t\x07\u202e\x9b", "price": 1}, terminal=True, width=80)

    assert len(lines) == 2
    assert all(character.isprintable() for line in lines for character in line)
    assert "\\x1b[2J" in lines[1]


def test_a_table_without_rows_still_has_its_columns() -> None:
    assert table() == ["name  price"]


def test_later_pages_keep_the_columns() -> None:
    target = screen(Format.TABLE)
    out = output.writer(target, ("name",))
    out.rows([{"name": "abcdef"}])
    out.rows([{"name": "x"}])
    out.end({})

    assert written(target).splitlines() == ["name", "abcdef", "x"]


def test_one_record_is_shown_a_line_a_field() -> None:
    target = screen(Format.TABLE)
    output.show(target, {"name": "tea", "tags": ["a"], "empty": None, "on": True})

    assert written(target).splitlines() == ["name   tea", 'tags   ["a"]', "empty", "on     true"]


def test_color_is_for_terminals_that_want_it() -> None:
    assert "\x1b[1m" in "".join(table({"name": "x", "price": 1}, terminal=True, color=True))
    assert "\x1b" not in "".join(table({"name": "x", "price": 1}, terminal=True))


@pytest.mark.parametrize("pages", [[], [[{"a": 1}]], [[{"a": 1}, {"a": 2}], [{"a": 3}]]])
@pytest.mark.parametrize("terminal", [True, False])
def test_json_is_one_document_however_many_pages(pages: list[list[dict[str, Any]]], terminal: bool) -> None:
    target = screen(Format.JSON, terminal=terminal)
    out = output.writer(target, ())
    for page in pages:
        out.rows(page)
    out.end({"next": None, "total": 3})

    expected = {"items": [row for page in pages for row in page], "next": None, "total": 3}
    assert expected == json.loads(written(target))


def test_values_are_written_as_every_channel_writes_them() -> None:
    target = screen(Format.JSON)
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    output.show(target, {"at": moment, "price": Decimal("1.10"), "raw": b"\x00", "for": timedelta(seconds=90)})

    assert json.loads(written(target)) == {"at": "2026-01-02T03:04:05Z", "price": "1.10", "raw": "AA==", "for": "PT90S"}


@given(
    st.lists(
        st.fixed_dictionaries({"text": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))})
    )
)
def test_strings_survive_csv_and_json_lines(records: list[dict[str, str]]) -> None:
    comma, lines = screen(Format.CSV), screen(Format.NDJSON)
    output.table(comma, records, ("text",))
    output.table(lines, records, ("text",))

    assert records == list(csv.DictReader(io.StringIO(written(comma), newline="")))
    assert records == [json.loads(line) for line in written(lines).split("\n")[:-1]]


def test_a_list_in_a_cell_of_csv_is_json() -> None:
    target = screen(Format.CSV)
    output.table(target, [{"tags": ["a", "b,c"], "none": None, "off": False}], ())

    assert written(target) == 'tags,none,off\n"[""a"",""b,c""]",,false\n'


@given(st.text(), st.integers(1, 20))
def test_clipped_words_fit(word: str, width: int) -> None:
    assert output.cells_wide(output.clip(word, width)) <= width
