"""Lists: filters, sort, pages, fields, count, and the words that are reserved."""

from __future__ import annotations

import json

import httpx
import pytest

from nexus.channels.rest import params
from nexus.testing import RECORD


@pytest.fixture
async def filled(client: httpx.AsyncClient) -> httpx.AsyncClient:
    for stars in range(25):
        await client.post("/api/notes", json={"title": f"n{stars:02}", "stars": stars, "done": stars % 2 == 0})
    return client


async def titles(client: httpx.AsyncClient, query: str) -> list[str]:
    answer = await client.get(f"/api/notes?{query}")
    assert answer.status_code == 200, answer.text
    return [item["title"] for item in answer.json()["items"]]


async def test_a_page_has_20_records_and_the_way_to_the_next(filled: httpx.AsyncClient) -> None:
    first = await filled.get("/api/notes?sort=title")
    rest = await filled.get(first.links["next"]["url"])

    assert (len(first.json()["items"]), first.json()["next"]) == (20, "20")
    assert [item["title"] for item in rest.json()["items"]] == ["n20", "n21", "n22", "n23", "n24"]
    assert rest.json()["next"] is None
    assert "link" not in rest.headers


async def test_the_link_keeps_the_rest_of_the_query(filled: httpx.AsyncClient) -> None:
    answer = await filled.get("/api/notes?stars__gte=3&limit=2&offset=2&sort=-title")

    assert answer.headers["link"] == '</api/notes?stars__gte=3&limit=2&sort=-title&cursor=4>; rel="next"'


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("stars=3", ["n03"]),
        ("stars__gte=23", ["n23", "n24"]),
        ("stars__in=1,4", ["n01", "n04"]),
        ("done=false&stars__lt=4", ["n01", "n03"]),
        ("title__contains=n1&done=true", ["n10", "n12", "n14", "n16", "n18"]),
        ('filter={"stars": {"$lt": 2}}', ["n00", "n01"]),
        ('filter={"$or": [{"stars": 5}, {"title": "n07"}]}&done=false', ["n05", "n07"]),
        ("stars__lt=3&sort=-stars", ["n02", "n01", "n00"]),
        ("title__eq=n03", ["n03"]),
    ],
)
async def test_filters_and_sort(filled: httpx.AsyncClient, query: str, expected: list[str]) -> None:
    assert await titles(filled, query) == expected


async def test_total_is_there_only_when_asked_for(filled: httpx.AsyncClient) -> None:
    assert "total" not in (await filled.get("/api/notes")).json()
    assert "total" not in (await filled.get("/api/notes?count=none")).json()
    assert (await filled.get("/api/notes?limit=1&count=exact")).json()["total"] == 25


async def test_fields_choose_the_columns(filled: httpx.AsyncClient) -> None:
    answer = await filled.get("/api/notes?fields=id,stars&limit=1")

    assert answer.json()["items"] == [{"id": 1, "stars": 0}]


@pytest.mark.parametrize(
    ("query", "code", "word"),
    [
        ("titel=a", "invalid_filter", "did you mean 'title'"),
        ("limt=5", "invalid_filter", "did you mean 'limit'"),
        ("stars__gt3=5", "invalid_filter", "gt3"),
        ("stars=many", "invalid_filter", "stars"),
        ("limit=0", "invalid_page", "1000"),
        ("limit=1001", "invalid_page", "1000"),
        ("limit=٣", "invalid_page", "limit"),
        ("offset=-1", "invalid_page", "offset"),
        ("limit=1&limit=2", "invalid_query", "twice"),
        ("count=maybe", "invalid_query", "exact"),
        ("filter=[1]", "invalid_filter", "object"),
        ("filter={", "malformed_json", "JSON"),
        ("title=%ff", "invalid_query", "UTF-8"),
    ],
)
async def test_what_cannot_be_understood_is_400_and_says_what_can(
    filled: httpx.AsyncClient, query: str, code: str, word: str
) -> None:
    problem = (await filled.get(f"/api/notes?{query}")).json()

    assert (problem["status"], problem["code"]) == (400, code)
    assert word in f"{problem['detail']} {problem.get('hint', '')}"


async def test_what_comes_later_says_so(filled: httpx.AsyncClient) -> None:
    answer = await filled.get("/api/notes?q=author")

    assert (answer.status_code, answer.json()["code"]) == (501, "not_available")


async def test_an_unknown_key_alone_lists_the_valid_ones(filled: httpx.AsyncClient) -> None:
    problem = (await filled.get("/api/notes?zzz=1")).json()

    assert all(name in problem["hint"] for name in ("title", "stars", "limit", "sort", "filter"))


def test_a_filter_200_levels_deep_is_refused() -> None:
    tree: object = {"stars": 1}
    for _ in range(200):
        tree = {"$not": tree}

    with pytest.raises(Exception, match="deep") as caught:
        params.for_list(f"filter={json.dumps(tree)}&stars=1".encode(), RECORD)
    assert getattr(caught.value, "code", "") in {"invalid_filter", "malformed_json"}


def test_plus_and_percent_are_decoded_as_forms_do() -> None:
    assert params.pairs(b"a=x+y%2Bz&flag&b=%C3%A9&&c=") == [("a", "x y+z"), ("flag", "true"), ("b", "é"), ("c", "")]
