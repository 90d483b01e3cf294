"""The site builds strictly, works from a folder without a network, and leads everywhere."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import msgspec
import pytest

DOCS = Path(__file__).parent
ASSETS = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "video": "src"}


class Page(msgspec.Struct):
    """What one page of the site loads, where it leads, and the places in it that can be led to."""

    assets: list[str] = []
    links: list[str] = []
    places: set[str] = set()


class _Reader(HTMLParser):
    def __init__(self, page: Page) -> None:
        super().__init__()
        self._page = page

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if place := given.get("id"):
            self._page.places.add(place)
        if tag == "a" and (target := given.get("href")):
            self._page.links.append(target)
        if (name := ASSETS.get(tag)) and (target := given.get(name)):
            self._page.assets.append(target)


def _build(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    strictly = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", "-b", "html"]
    return subprocess.run([*strictly, str(source), str(target)], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site."""
    folder = tmp_path_factory.mktemp("site")
    built = _build(DOCS, folder)
    assert built.returncode == 0, built.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """All pages of the site, by their files."""
    found = {path: Page() for path in site.rglob("*.html")}
    for path, page in found.items():
        _Reader(page).feed(path.read_text())
    return found


def _inside(path: Path, targets: list[str]) -> Iterator[tuple[Path, str]]:
    """Yield the file and the place of each target that is no address elsewhere."""
    for target in targets:
        place, _, anchor = target.partition("#")
        if "://" not in target and not target.startswith(("mailto:", "data:")):
            yield (path.parent / unquote(place.partition("?")[0])).resolve() if place else path, anchor


def test_every_page_is_built(site: Path) -> None:
    wanted = {path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md")}

    assert wanted <= {path.relative_to(site) for path in site.rglob("*.html")}


def test_nothing_is_loaded_from_elsewhere(pages: dict[Path, Page]) -> None:
    foreign = {asset for page in pages.values() for asset in page.assets if "//" in asset}

    assert foreign == set()


def test_no_style_loads_anything_from_elsewhere(site: Path) -> None:
    styles = [path.read_text() for path in site.rglob("*.css")]

    assert styles
    assert not any("url(http" in text or "url(//" in text or "@import" in text for text in styles)


def test_every_link_and_every_asset_is_there(pages: dict[Path, Page]) -> None:
    broken = [
        f"{path.name}: {target}#{anchor}"
        for path, page in pages.items()
        for target, anchor in _inside(path, page.links + page.assets)
        if not target.exists() or (anchor and target in pages and anchor not in pages[target].places)
    ]

    assert broken == []


def test_the_first_page_leads_to_every_other_one(site: Path, pages: dict[Path, Page]) -> None:
    seen, waiting = set[Path](), [site / "index.html"]
    while waiting:
        path = waiting.pop()
        if path in pages and path not in seen:
            seen.add(path)
            waiting += [target for target, _ in _inside(path, pages[path].links)]

    assert {path for path in pages if path not in seen} <= {site / "search.html", site / "genindex.html"}


def test_a_reader_can_search_without_a_server(site: Path) -> None:
    assert "migration_lock_timeout" in (site / "searchindex.js").read_text()


def test_every_page_is_in_a_list_of_the_first_page() -> None:
    listed = (DOCS / "README.md").read_text()
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")} - {"README.md"}
    below = {
        page for page in pages if page.count("/") > 1 and not page.endswith("/README.md")
    }  # their README lists them

    assert {page for page in pages - below if f"({page})" not in listed} == set()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("broken.md", "# Broken\n\n[nowhere](nowhere.md)\n", "nowhere"),
        ("place.md", "# Place\n\n[nowhere](README.md#nowhere)\n", "nowhere"),
        ("unlisted.md", "# Unlisted\n", "unlisted"),
    ],
)
def test_a_page_that_is_wrong_stops_the_build(name: str, text: str, said: str, tmp_path: Path) -> None:
    source = tmp_path / "docs"
    source.mkdir()
    shutil.copy(DOCS / "conf.py", source)
    listed = "" if name == "unlisted.md" else f"- [It]({name})\n"
    (source / "README.md").write_text(f"# First\n\n## Learn\n\n{listed}")
    (source / name).write_text(text)
    built = _build(source, tmp_path / "site")

    assert built.returncode != 0
    assert said in built.stderr
