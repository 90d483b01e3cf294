"""What HTTP refuses, and the problem document that says so."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from kailash.capability import Capability
from nexus import Nexus
from nexus.testing import NotesProvider, notes_provider


async def refused(client: httpx.AsyncClient, method: str, path: str, **more: object) -> dict[str, object]:
    answer = await client.request(method, path, **more)  # type: ignore[arg-type] # whatever httpx takes
    problem: dict[str, object] = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == answer.status_code
    assert problem["request_id"] == answer.headers["x-request-id"]
    return problem


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "no_such_route"),
        ("GET", "/api/nots", 404, "no_such_route"),
        ("GET", "/api/notes/1/more", 404, "no_such_route"),
        ("GET", "/api/notes/7", 404, "record_not_found"),
        ("GET", "/api/notes/abc", 422, "invalid_input"),
        ("GET", "/api/notes/1.5", 422, "invalid_input"),
        ("DELETE", "/api/notes/99999999999999999999", 422, "invalid_input"),
        ("DELETE", "/api/notes", 405, "method_not_allowed"),
        ("BREW", "/api/notes/1", 405, "method_not_allowed"),
        ("GET", "/api/notes/%ff", 400, "unreadable_path"),
        ("POST", "/api/notes?titel=1", 400, "invalid_query"),
    ],
)
async def test_a_path_that_cannot_be_served_says_why(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    problem = await refused(client, method, path)

    assert (problem["status"], problem["code"]) == (status, code)


async def test_an_unknown_resource_suggests_the_nearest(client: httpx.AsyncClient) -> None:
    assert (await refused(client, "GET", "/api/nots"))["hint"] == "did you mean 'notes'?"


async def test_405_lists_what_is_allowed(client: httpx.AsyncClient) -> None:
    assert (await client.delete("/api/notes")).headers["allow"] == "GET, HEAD, OPTIONS, POST, PUT"


@pytest.mark.parametrize(
    ("body", "media", "status", "code"),
    [
        (b"{", "application/json", 400, "malformed_json"),
        (b'{"title": NaN}', "application/json", 400, "malformed_json"),
        (b"[" * 5000, "application/json", 400, "malformed_json"),
        (b'{"title": "\xff"}', "application/json", 400, "malformed_json"),
        (b"[]", "application/json", 422, "invalid_input"),
        (b'"text"', "application/json", 422, "invalid_input"),
        (b"", "application/json", 422, "invalid_input"),
        (b"{}", "application/json; charset=utf-8", 422, "invalid_input"),
        (b'{"title": 5}', "application/json", 422, "invalid_input"),
        (b'{"title": "a", "pages": 5}', "application/json", 422, "invalid_input"),
        (b"title=a", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        (b'{"title": "' + b"a" * 10_000 + b'"}', "application/json", 413, "too_large"),
    ],
)
async def test_a_body_that_cannot_be_taken_writes_nothing(
    client: httpx.AsyncClient, notes: NotesProvider, body: bytes, media: str, status: int, code: str
) -> None:
    problem = await refused(client, "POST", "/api/notes", content=body, headers={"content-type": media})

    assert (problem["status"], problem["code"]) == (status, code)
    assert notes.notes == {}


async def test_a_compressed_body_is_refused(client: httpx.AsyncClient) -> None:
    problem = await refused(client, "POST", "/api/notes", content=b"x", headers={"content-encoding": "gzip"})

    assert problem["status"] == 415


async def test_a_page_of_another_site_cannot_change_anything(client: httpx.AsyncClient, notes: NotesProvider) -> None:
    page = {"sec-fetch-site": "cross-site", "origin": "https://evil.example"}

    problem = await refused(client, "POST", "/api/notes", json={"title": "a"}, headers=page)
    untyped = await refused(client, "POST", "/api/notes", content=b'{"title": "a"}')

    assert (problem["status"], untyped["status"], notes.notes) == (403, 415, {})
    assert (await client.get("/api/notes", headers=page)).status_code == 200


async def test_every_bad_field_is_reported(client: httpx.AsyncClient) -> None:
    problem = await refused(client, "POST", "/api/notes", json={"stars": "x", "titel": "a"})

    errors = problem["errors"]
    assert isinstance(errors, list)
    assert {(each["field"], each["code"]) for each in errors} == {
        ("stars", "wrong_type"),
        ("titel", "unknown_field"),
        ("title", "missing"),
    }


async def test_a_duplicate_is_a_conflict(client: httpx.AsyncClient) -> None:
    await client.post("/api/notes", json={"title": "a"})

    assert (await refused(client, "POST", "/api/notes", json={"title": "a"}))["status"] == 409


async def test_a_body_that_announces_too_much_is_refused_unread(app: Nexus) -> None:
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        raise AssertionError("the body was read")

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/notes",
        "query_string": b"",
        "headers": [(b"content-length", b"20000000")],
    }
    await app.asgi(scope, receive, send)

    assert sent[0]["status"] == 413


async def test_a_body_in_pieces_is_read_no_further_than_its_limit(client: httpx.AsyncClient) -> None:
    pieces = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal pieces
        while pieces < 1000:
            pieces += 1
            yield b" " * 1000

    problem = await refused(
        client, "POST", "/api/notes", content=endless(), headers={"content-type": "application/json"}
    )

    assert (problem["status"], pieces < 20) == (413, True)


async def test_accept_is_honoured(client: httpx.AsyncClient) -> None:
    assert (await refused(client, "GET", "/api/notes", headers={"accept": "text/csv"}))["status"] == 406
    for media in ("*/*", "application/*;q=0.5", "text/html, application/json", "application/hal+json"):
        assert (await client.get("/api/notes", headers={"accept": media})).status_code == 200


async def test_if_match_is_not_ignored(client: httpx.AsyncClient) -> None:
    await client.post("/api/notes", json={"title": "a"})

    problem = await refused(client, "PATCH", "/api/notes/1", json={"stars": 1}, headers={"if-match": '"7"'})

    assert (problem["status"], problem["code"]) == (412, "precondition_failed")
    assert (await client.patch("/api/notes/1", json={"stars": 1}, headers={"if-match": "*"})).status_code == 200


async def test_a_request_id_comes_back_if_it_is_a_decent_one(client: httpx.AsyncClient) -> None:
    kept = await client.get("/api/notes", headers={"x-request-id": "abc-123"})
    replaced = await client.get("/api/notes", headers={"x-request-id": "a b"})

    assert kept.headers["x-request-id"] == "abc-123"
    assert replaced.headers["x-request-id"] not in {"a b", ""}


async def test_strings_come_back_byte_for_byte(client: httpx.AsyncClient) -> None:
    for title in ("'; DROP TABLE notes; --", "$txn.id", "{{name}}", "${x}", "é\u2028😀", " \t\n", '"\\', "%s %d"):
        made = await client.post("/api/notes", json={"title": title})

        assert made.json()["title"] == title


async def test_a_fault_inside_is_500_without_its_details(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = _Breaking()
    app = Nexus(dataflow_integration=provider)
    transport = httpx.ASGITransport(app.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/api/notes", headers={"x-request-id": "r-1"})

    assert (answer.status_code, answer.json()["code"]) == (500, "fault")
    assert "secret" not in answer.text
    assert "secret" in caplog.text
    assert "r-1" in caplog.text


class _Breaking(NotesProvider):
    def __init__(self) -> None:
        super().__init__()
        self._matching = self._break  # type: ignore[method-assign]

    def _break(self, given: object) -> list[dict[str, object]]:
        raise RuntimeError("secret")

    def capabilities(self) -> list[Capability]:
        return list(super().capabilities())


async def test_a_client_that_goes_away_is_not_answered(app: Nexus) -> None:
    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        raise AssertionError("something was sent")

    scope = {"type": "http", "method": "POST", "path": "/api/notes", "query_string": b"", "headers": []}
    await app.asgi(scope, receive, send)


async def test_an_id_of_text_may_have_any_character() -> None:
    provider = notes_provider()
    app = Nexus(dataflow_integration=provider)
    seen: list[str] = []
    transport = httpx.ASGITransport(app.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        for key in ("a%2Fb", "caf%C3%A9", "count%2F"):
            answer = await client.get(f"/api/notes/{key}")
            seen.append(answer.json()["code"])

    assert seen == ["invalid_input"] * 3  # they were read as ids, and this id is a whole number
