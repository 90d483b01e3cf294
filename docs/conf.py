"""How the pages become a site: ``tox -e docs``, or ``sphinx-build -W -n docs .workshop/site``.

Rule 1: the pages are those that one reads in the repository; the site adds navigation and search, and nothing that is
loaded from elsewhere. It works from a folder, without a server.
Rule 2: the order of the navigation is that of the lists on the first page.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "kailash, dataflow, nexus"
author = "the maintainers"
html_title = "kailash · dataflow · nexus"

extensions = ["myst_parser"]
root_doc = "README"
exclude_patterns = ["conftest.py", "test_*.py", "__pycache__"]
myst_heading_anchors = 4  # `page.md#a-heading`, as the repository's own pages have them
suppress_warnings = ["myst.header"]  # a page of the reference may begin its parts at any level

html_theme = "furo"
html_permalinks_icon = "#"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_theme_options: dict[str, Any] = {"top_of_page_buttons": []}

LINK = re.compile(r"^- \[[^]]+\]\(([\w/-]+)\.md\)", re.MULTILINE)
OUTSIDE = re.compile(r"\[([^]]+)\]\((?:\.\./)+(?:[A-Z]+\.md|examples|packages|integration-tests|tools|\.github)[^)]*\)")


def _navigate(app: Sphinx, page: str, source: list[str]) -> None:
    """Make the lists of the first page the navigation, and links out of these pages plain text."""
    source[0] = OUTSIDE.sub(r"\1", source[0])
    folder = Path(str(app.srcdir))
    if page == root_doc:
        parts = re.split(r"^## (.+)$", source[0], flags=re.MULTILINE)
        for heading, text in zip(parts[1::2], parts[2::2], strict=True):
            source[0] += _tree(heading, LINK.findall(text))
    elif page.endswith("/README"):
        here = Path(page).parent
        below = sorted(path.stem for path in (folder / here).glob("*.md") if path.stem != "README")
        source[0] += _tree("", below)


def _tree(heading: str, pages: list[str]) -> str:
    if not pages:
        return ""
    caption = [f":caption: {heading}"] if heading else []
    return "\n".join(["\n\n```{toctree}", ":hidden:", *caption, "", *pages, "```\n"])


def _open_at_index(app: Sphinx, fault: Exception | None) -> None:
    """Let the folder open at its first page."""
    if fault is None and app.builder.format == "html":
        shutil.copyfile(Path(app.outdir) / f"{root_doc}.html", Path(app.outdir) / "index.html")


def setup(app: Sphinx) -> None:
    """Join in."""
    app.connect("source-read", _navigate)
    app.connect("build-finished", _open_at_index)
