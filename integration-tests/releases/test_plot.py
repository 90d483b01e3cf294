"""The picture and the table of the benchmarks are what the kept results say."""

from __future__ import annotations

import json
import xml.etree.ElementTree as Xml
from pathlib import Path
from typing import Any

import pytest

import plot
import promises as book

SVG = "{http://www.w3.org/2000/svg}"


def line(what: str, ratio: float, **more: Any) -> dict[str, Any]:
    return {"what": what, "ratio": ratio, "ours": ratio * 1e-4, "limit": 1e-4, "throughput": False, **more}


def run(versions: str, *lines: dict[str, Any]) -> dict[str, Any]:
    named = dict(zip(book.PACKAGES, versions.split("/"), strict=True))
    machine = {"python": "3.11.7", "system": "Linux x86_64", "processors": 2, "sqlite": "3.40.1"}
    return {"versions": named, "date": "2026-11-21", "commit": "c" * 40, "machine": machine, "lines": list(lines)}


OLD = run("1.0.0/0.9.0/1.1.1", line("read", 2.0))
NEW = run("1.0.0/0.12.0/1.1.1", line("read <b>", 0.5), line("read", 1.5), line("calls/s", 2.0, throughput=True))


def bars(svg: str) -> list[Xml.Element]:
    return Xml.fromstring(svg).findall(f"{SVG}rect")


def test_a_bar_begins_or_ends_at_one_and_is_as_long_as_the_ratio_says() -> None:
    half, more, often = bars(plot.picture(NEW["lines"]))

    one = plot.LEFT + plot.place(1.0)
    assert float(half.attrib["x"]) + float(half.attrib["width"]) == pytest.approx(one, abs=0.2)
    assert float(more.attrib["x"]) == pytest.approx(one, abs=0.1)
    assert [each.attrib["class"] for each in (half, more, often)] == ["good", "bad", "good"]
    assert half.attrib["width"] == often.attrib["width"]


def test_a_mark_is_where_the_release_before_was() -> None:
    tree = Xml.fromstring(plot.picture(NEW["lines"], OLD["lines"]))

    (mark,) = [each for each in tree.findall(f"{SVG}line") if each.attrib["class"] == "before"]
    assert float(mark.attrib["x1"]) == pytest.approx(plot.LEFT + plot.place(2.0), abs=0.1)


@pytest.mark.parametrize("ratio", [1e-9, 0.01, 1.0, 5.0, 1e9])
def test_no_ratio_leaves_the_picture(ratio: float) -> None:
    assert -0.1 < plot.place(ratio) < plot.WIDTH + 0.1


def test_the_table_has_the_last_two_releases_in_the_order_of_their_versions(tmp_path: Path) -> None:
    for name, content in {"b.json": OLD, "a.json": NEW}.items():
        path = tmp_path / plot.RESULTS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    page = tmp_path / plot.PAGE
    page.parent.mkdir(parents=True)
    page.write_text("# Benchmarks\n\n<!-- bench: results -->\nold\n<!-- end -->\n")

    plot.write(tmp_path)

    text = page.read_text()
    assert "| what | ours | the limit | 1.0.0/0.9.0/1.1.1 | 1.0.0/0.12.0/1.1.1 |" in text
    assert "| read | 150 us | 100 us | 2.00 | 1.50 |" in text
    assert "old" not in text
    assert len(bars((tmp_path / plot.PICTURE).read_text())) == 3


def test_without_results_one_is_told_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(book.ReleaseError, match="tox -e bench -- --store"):
        plot.write(tmp_path)
