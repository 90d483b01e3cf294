"""What each method of each path of a resource does."""

from __future__ import annotations

import httpx
import pytest

from nexus import Nexus
from nexus.testing import NotesProvider, notes_provider

NOTE = {
    "id": 1,
    "title": "a",
    "body": None,
    "stars": 2,
    "done": False,
    "tags": [],
    "created_at": "2026-01-01T00:00:00Z",
}


async def test_create_answers_201_with_the_stored_record_and_its_address(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/notes", json={"title": "a", "stars": 2})

    assert (answer.status_code, answer.headers["location"], answer.json()) == (201, "/api/notes/1", NOTE)


async def test_a_record_is_read_without_the_marks_of_the_operation(client: httpx.AsyncClient) -> None:
    await client.post("/api/notes", json={"title": "a", "stars": 2})

    assert (await client.get("/api/notes/1")).json() == NOTE
    assert (await client.get("/api/notes/1", params={"fields": "id,title"})).json() == {"id": 1, "title": "a"}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_put_and_patch_change_the_given_fields_and_leave_the_rest(client: httpx.AsyncClient, method: str) -> None:
    await client.post("/api/notes", json={"title": "a", "stars": 2})

    answer = await client.request(method, "/api/notes/1", json={"done": True})

    assert (answer.status_code, answer.json()) == (200, {**NOTE, "done": True})


async def test_an_update_may_repeat_the_id_of_its_path_and_no_other(client: httpx.AsyncClient) -> None:
    await client.post("/api/notes", json={"title": "a"})

    assert (await client.patch("/api/notes/1", json={"id": 1, "stars": 3})).status_code == 200
    refused = await client.patch("/api/notes/1", json={"id": 2, "stars": 4})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "id")
    assert (await client.get("/api/notes/1")).json()["stars"] == 3


async def test_delete_answers_204_or_what_was_done_if_the_client_prefers(client: httpx.AsyncClient) -> None:
    await client.post("/api/notes", json={"title": "a"})
    await client.post("/api/notes", json={"title": "b"})

    gone = await client.delete("/api/notes/1")
    told = await client.delete("/api/notes/2", headers={"prefer": "return=representation"})

    assert (gone.status_code, gone.content) == (204, b"")
    assert "content-length" not in gone.headers
    assert (told.status_code, told.json()) == (200, {"id": 2, "deleted": True})
    assert told.headers["preference-applied"] == "return=representation"
    assert (await client.delete("/api/notes/1")).status_code == 404


async def test_a_client_may_prefer_no_body(client: httpx.AsyncClient) -> None:
    made = await client.post("/api/notes", json={"title": "a"}, headers={"prefer": "return=minimal"})
    changed = await client.patch("/api/notes/1", json={"stars": 1}, headers={"prefer": "return=minimal"})

    assert (made.status_code, made.content, made.headers["location"]) == (201, b"", "/api/notes/1")
    assert (changed.status_code, changed.content) == (204, b"")


@pytest.mark.parametrize(("method", "path"), [("PUT", "/api/notes"), ("POST", "/api/notes/upsert")])
async def test_upsert_answers_201_for_a_new_record_and_200_for_one_that_was_there(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    document = {"where": {"title": "a"}, "create": {"stars": 1}, "update": {"stars": 9}}

    first = await client.request(method, path, json=document)
    second = await client.request(method, path, json=document)

    assert (first.status_code, first.headers["location"], first.json()["stars"]) == (201, "/api/notes/1", 1)
    assert (second.status_code, second.json()["stars"]) == (200, 9)


async def test_bulk_runs_the_four_bulk_operations(client: httpx.AsyncClient, notes: NotesProvider) -> None:
    async def bulk(**document: object) -> dict[str, object]:
        answer = await client.post("/api/notes/bulk", json=document)
        assert answer.status_code == 200
        result: dict[str, object] = answer.json()
        return result

    created = await bulk(operation="create", records=[{"title": "a"}, {"title": "b"}])
    updated = await bulk(operation="update", filter={"title": "a"}, fields={"stars": 5})
    merged = await bulk(operation="upsert", data=[{"title": "b", "stars": 7}, {"title": "c"}])
    deleted = await bulk(operation="delete", ids=[1])

    assert (created["inserted"], updated["updated"], deleted["deleted"]) == (2, 1, 1)
    assert (merged["inserted"], merged["updated"]) == (1, 1)
    assert [note["title"] for note in notes.notes.values()] == ["b", "c"]


async def test_bulk_names_the_operations_it_has(client: httpx.AsyncClient) -> None:
    missing = (await client.post("/api/notes/bulk", json={"records": []})).json()
    unknown = (await client.post("/api/notes/bulk", json={"operation": "creat"})).json()

    assert (missing["status"], missing["errors"][0]["code"]) == (422, "missing")
    assert unknown["hint"] == "did you mean 'create'?"


async def test_a_bulk_delete_of_everything_is_refused_unless_confirmed(client: httpx.AsyncClient) -> None:
    await client.post("/api/notes", json={"title": "a"})

    refused = await client.post("/api/notes/bulk", json={"operation": "delete"})
    done = await client.post("/api/notes/bulk", json={"operation": "delete", "confirmed": True})

    assert (refused.status_code, refused.json()["code"]) == (428, "unconfirmed")
    assert done.json()["deleted"] == 1


async def test_count_counts_what_a_filter_means(client: httpx.AsyncClient) -> None:
    for stars in range(3):
        await client.post("/api/notes", json={"title": str(stars), "stars": stars})

    assert (await client.get("/api/notes/count")).json() == {"count": 3}
    assert (await client.get("/api/notes/count?stars__gte=1")).json() == {"count": 2}
    assert (await client.get("/api/notes/count?limit=1")).status_code == 400


async def test_head_is_get_without_a_body(client: httpx.AsyncClient) -> None:
    await client.post("/api/notes", json={"title": "a"})

    head, get = await client.head("/api/notes/1"), await client.get("/api/notes/1")

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]


async def test_options_lists_the_methods_of_a_path(client: httpx.AsyncClient) -> None:
    answer = await client.options("/api/notes/1")

    assert (answer.status_code, answer.headers["allow"]) == (204, "DELETE, GET, HEAD, OPTIONS, PATCH, PUT")


async def test_a_resource_of_two_words_has_both_spellings() -> None:
    app = Nexus(dataflow_integration=notes_provider("order_items"))
    transport = httpx.ASGITransport(app.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        made = await client.post("/api/order-items", json={"title": "a"})

        assert made.headers["location"] == "/api/order-items/1"
        assert (await client.get("/api/order_items/1")).status_code == 200


async def test_the_prefix_of_the_api_is_an_option() -> None:
    app = Nexus(dataflow_config={"integration": notes_provider(), "api_prefix": "/api/v1"})
    transport = httpx.ASGITransport(app.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get("/api/v1/notes")).status_code == 200
        assert (await client.get("/api/notes")).status_code == 404


async def test_models_may_appear_after_the_first_request(app: Nexus, client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/memos")).status_code == 404

    app.add(notes_provider("memos"))

    assert (await client.get("/api/memos")).json() == {"items": [], "next": None}


async def test_the_application_may_be_mounted_below_a_path(app: Nexus) -> None:
    transport = httpx.ASGITransport(app.asgi, root_path="/inner")
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        made = await client.post("/inner/api/notes", json={"title": "a"})

        assert (made.status_code, made.headers["location"]) == (201, "/inner/api/notes/1")
