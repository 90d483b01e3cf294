"""The picture and the table of the benchmarks in docs/reference/benchmarks.md, from the results that are kept.

``python tools/plot.py`` writes both; nothing else may. The picture is SVG of our own: a bar for each line of the newest
release, its ratio to the limit on a logarithmic scale, and a mark where the release before it was.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

from packaging.version import Version

import promises as book

RESULTS: Final = "integration-tests/benchmarks/results"
PAGE: Final = "docs/reference/benchmarks.md"
PICTURE: Final = "docs/reference/benchmarks.svg"
ROW, LEFT, WIDTH, TOP = 18, 380, 460, 40  # pixels
LEAST, MOST = 1 / 64, 8.0  # ratios at the edges of the scale
STYLE: Final = """
text { font: 12px system-ui, sans-serif; fill: #24292f } .good { fill: #2da44e } .bad { fill: #cf222e }
.grid { stroke: #d0d7de } .one { stroke: #24292f } .before { stroke: #0969da; stroke-width: 3 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .grid { stroke: #30363d } .one { stroke: #e6edf3 } }
"""


def kept(root: Path) -> list[dict[str, Any]]:
    """Return the results of all releases, the oldest first."""
    found = [json.loads(path.read_text()) for path in (root / RESULTS).glob("*.json")]
    return sorted(found, key=lambda each: [Version(each["versions"][package]) for package in book.PACKAGES])


def cost(line: Mapping[str, Any]) -> float:
    """Return the ratio to the limit so that less is better, whatever was measured."""
    ratio = float(line["ratio"])
    return 1 / ratio if line["throughput"] else ratio


def place(ratio: float) -> float:
    """Return where a ratio lies on the scale, in pixels from its left."""
    held = min(max(ratio, LEAST), MOST)
    return WIDTH * (math.log(held) - math.log(LEAST)) / (math.log(MOST) - math.log(LEAST))


def picture(lines: Sequence[Mapping[str, Any]], before: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return the SVG of *lines*, with marks where *before* was."""
    earlier = {line["what"]: cost(line) for line in before}
    height = TOP + ROW * len(lines) + 10
    size = f'viewBox="0 0 {LEFT + WIDTH + 60} {height}" width="{LEFT + WIDTH + 60}" height="{height}"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img"><title>ours over the limit</title>']
    parts.append(f"<style>{STYLE}</style>")
    for ratio in (1 / 64, 1 / 16, 1 / 4, 1.0, 4.0):
        x, kind = LEFT + place(ratio), "one" if ratio == 1 else "grid"
        parts.append(f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{height}"/>')
        parts.append(f'<text x="{x:.1f}" y="{TOP - 14}" text-anchor="middle">{_spelled(ratio)}</text>')
    for number, line in enumerate(lines):
        parts += _bar(line, TOP + ROW * number, earlier.get(line["what"]))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _bar(line: Mapping[str, Any], y: int, earlier: float | None) -> list[str]:
    ratio, one = cost(line), place(1.0)
    start, end = sorted((place(ratio), one))
    kind, long = "good" if ratio <= 1 else "bad", max(end - start, 1.0)
    found = [
        f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(str(line["what"]))}</text>',
        f'<rect class="{kind}" x="{LEFT + start:.1f}" y="{y + 2}" width="{long:.1f}" height="{ROW - 5}"/>',
        f'<text x="{LEFT + WIDTH + 6}" y="{y + 12}">{ratio:.2f}</text>',
    ]
    if earlier is not None:
        x = LEFT + place(earlier)
        found.append(f'<line class="before" x1="{x:.1f}" x2="{x:.1f}" y1="{y}" y2="{y + ROW - 1}"/>')
    return found


def _spelled(ratio: float) -> str:
    return f"1/{round(1 / ratio)}" if ratio < 1 else f"{ratio:g}"


def table(runs: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of the page: a row for each line of the newest release, a column for each release."""
    last = runs[-2:]
    heads = ["what", "ours", "the limit", *("/".join(run["versions"].values()) for run in last)]
    found = [{line["what"]: line for line in run["lines"]} for run in last]
    rows = [heads, ["---"] * len(heads)]
    for line in runs[-1]["lines"]:
        costs = [f"{cost(each[line['what']]):.2f}" if line["what"] in each else "" for each in found]
        rows.append([line["what"], _amount(line, "ours"), _amount(line, "limit"), *costs])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _amount(line: Mapping[str, Any], side: str) -> str:
    value = float(line[side])
    if "bytes" in line["what"]:
        return f"{value / 1_048_576:.1f} MiB"
    return f"{value:.2f} s" if value >= 0.1 else f"{value * 1e6:.0f} us"


def machine(run: Mapping[str, Any]) -> str:
    """Return the sentence that says where and when the newest run was made."""
    told = run["machine"]
    place_ = f"{told['system']}, {told['processors']} processors, Python {told['python']}, SQLite {told['sqlite']}"
    return f"Measured on {run['date']} at commit `{run['commit'][:12]}`: {place_}.\n"


def write(root: Path) -> None:
    """Write the picture and the table.

    Raises: ReleaseError where no results are kept, or the page has no place for them.
    """
    runs = kept(root)
    if not runs:
        raise book.ReleaseError(f"there is nothing in {RESULTS}; `tox -e bench -- --store` measures")
    (root / PICTURE).write_text(picture(runs[-1]["lines"], runs[-2]["lines"] if len(runs) > 1 else ()))
    page = root / PAGE
    marker = re.compile(r"(<!-- bench: results -->\n).*?(<!-- end -->)", re.DOTALL)
    body = f"{machine(runs[-1])}\n![ours over the limit, less is better](benchmarks.svg)\n\n{table(runs)}"
    text, found = marker.subn(lambda old: f"{old[1]}\n{body}\n{old[2]}", page.read_text())
    if not found:
        raise book.ReleaseError(f"{PAGE} has no place for the results")
    page.write_text(text)


if __name__ == "__main__":
    try:
        write(book.PROJECT)
    except book.ReleaseError as refused:
        print(f"plot: {refused}", file=sys.stderr)
        sys.exit(1)
