"""Workflows over HTTP: described, run, followed, cancelled."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from kailash import WorkflowBuilder
from nexus import Nexus


def greet(name: str) -> dict[str, Any]:
    return {"text": f"Hello {name}"}


def fail() -> dict[str, Any]:
    raise ValueError("a secret of the program")


class Gate:
    """A step that goes on when it may; reached says that it began."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()

    async def arun(self) -> dict[str, Any]:
        self.reached.set()
        await self.open.wait()
        return {"passed": True}


@pytest.fixture
async def gate() -> Gate:
    return Gate()


@pytest.fixture
def app(app: Nexus, gate: Gate) -> Nexus:
    greeting = WorkflowBuilder("greeting", "Greet somebody.")
    greeting.add_node(greet, "greet", {"name": "{{name}}"})
    greeting.add_node(greet, "again", {"name": "$greet.text"})
    slow = WorkflowBuilder()
    slow.add_node(greet, "greet", {"name": "{{name}}"})
    slow.add_node(gate, "gate")
    failing = WorkflowBuilder()
    failing.add_node(fail, "fail")
    app.register("greet", greeting)
    app.register("slow", slow)
    app.register("failing", failing)
    return app


@pytest.fixture(autouse=True)
def no_journal(app: Nexus, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("KAILASH_RUNS", str(tmp_path / "runs.db"))


async def run(client: httpx.AsyncClient, name: str, inputs: Any = None, **headers: str) -> httpx.Response:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return await client.post(f"/workflows/{name}/execute", json={"inputs": inputs or {}}, headers=named)


async def job(client: httpx.AsyncClient, where: str) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(where)).json()
    return found


def events(text: str) -> list[tuple[str, Any]]:
    found = []
    for block in filter(None, text.split("\n\n")):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        found.append((fields["event"], json.loads(fields["data"])))
    return found


async def test_a_run_is_answered_with_the_output_of_each_node(client: httpx.AsyncClient) -> None:
    answer = await run(client, "greet", {"name": "Ada"})

    body = answer.json()
    assert (answer.status_code, body["workflow_id"]) == (200, "greet")
    assert body["outputs"] == {"greet": {"text": "Hello Ada"}, "again": {"text": "Hello Hello Ada"}}
    assert body["run_id"]
    assert body["execution_time"] >= 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"inputs": {"nmae": "x"}}, "nmae"),
        ({"inputs": {}}, "name"),
        ({"name": "Ada"}, "name"),
        ({"inputs": [1]}, "inputs"),
        ({"inputs": {"name": "Ada"}, "input": {}}, "input"),
    ],
)
async def test_inputs_that_do_not_fit_are_422_and_named(
    client: httpx.AsyncClient, body: dict[str, Any], field: str
) -> None:
    for prefer in ({}, {"prefer": "respond-async"}, {"accept": "text/event-stream"}):
        answer = await client.post("/workflows/greet/execute", json=body, headers=prefer)

        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


async def test_a_failing_node_is_a_problem_without_its_details(client: httpx.AsyncClient) -> None:
    answer = await run(client, "failing")

    assert (answer.status_code, answer.json()["code"]) == (500, "workflow_execution")
    assert "'fail' failed with ValueError" in answer.json()["detail"]
    assert "secret" not in answer.text


async def test_workflows_are_listed_and_described(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/workflows")).json()["workflows"]
    about = (await client.get("/workflows/greet/workflow/info")).json()

    assert [each["name"] for each in listed] == ["greet", "slow", "failing"]
    assert about["summary"] == "Greet somebody."
    assert about["inputs"]["required"] == ["name"]
    assert about["mermaid"].startswith("flowchart TD")
    assert (await client.get("/workflows/nothing/workflow/info")).status_code == 404
    assert (await client.get("/workflows/greet/execute")).status_code == 405


async def test_a_run_that_is_answered_later_is_a_job(client: httpx.AsyncClient, gate: Gate) -> None:
    answer = await run(client, "slow", {"name": "Ada"}, prefer="respond-async")
    where = answer.headers["location"]

    assert (answer.status_code, answer.headers["preference-applied"]) == (202, "respond-async")
    await gate.reached.wait()
    assert (await job(client, where))["status"] == "running"
    gate.open.set()
    await client.get(f"{where}/events")
    ended = await job(client, where)
    assert (ended["status"], ended["steps"], ended["result"]["outputs"]["gate"]) == ("done", 2, {"passed": True})
    assert [each["id"] for each in (await client.get("/jobs")).json()["jobs"]] == [ended["id"]]


async def test_a_client_may_wait_for_a_job_before_it_is_told(client: httpx.AsyncClient, gate: Gate) -> None:
    quick = await run(client, "greet", {"name": "Ada"}, prefer="respond-async, wait=60")
    slow = await run(client, "slow", {"name": "Ada"}, prefer="respond-async, wait=0")
    gate.open.set()

    assert (quick.status_code, slow.status_code) == (200, 202)


async def test_a_failed_job_holds_its_problem(client: httpx.AsyncClient) -> None:
    where = (await run(client, "failing", prefer="respond-async")).headers["location"]
    await client.get(f"{where}/events")

    ended = await job(client, where)

    assert (ended["status"], ended["problem"]["status"]) == ("failed", 500)


async def test_a_job_is_cancelled(client: httpx.AsyncClient, gate: Gate) -> None:
    where = (await run(client, "slow", {"name": "Ada"}, prefer="respond-async")).headers["location"]
    await gate.reached.wait()

    cancelled = await client.delete(where)
    await client.get(f"{where}/events")

    assert cancelled.status_code == 202
    assert (await job(client, where))["status"] == "cancelled"
    assert (await client.delete(where)).json()["status"] == "cancelled"


@pytest.mark.parametrize("path", ["/jobs/nothing", "/jobs/nothing/events"])
async def test_a_job_that_is_not_there_is_404(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert (answer.status_code, answer.json()["code"]) == (404, "no_such_job")


async def test_progress_is_streamed_step_by_step(client: httpx.AsyncClient) -> None:
    answer = await run(client, "greet", {"name": "Ada"}, accept="text/event-stream")

    assert answer.headers["content-type"] == "text/event-stream"
    found = events(answer.text)
    assert [what for what, _ in found] == ["job", "step", "step", "step", "step", "done"]
    assert [(event["step"], event["what"]) for what, event in found if what == "step"] == [
        ("greet", "started"),
        ("greet", "finished"),
        ("again", "started"),
        ("again", "finished"),
    ]
    assert found[-1][1]["outputs"]["greet"] == {"text": "Hello Ada"}


async def test_a_stream_goes_on_after_the_last_event_that_was_seen(client: httpx.AsyncClient) -> None:
    answer = await run(client, "greet", {"name": "Ada"}, accept="text/event-stream")

    rest = await client.get(f"{answer.headers['location']}/events", headers={"last-event-id": "4"})

    assert [what for what, _ in events(rest.text)] == ["done"]


async def test_a_stream_that_fails_ends_with_the_problem(client: httpx.AsyncClient) -> None:
    found = events((await run(client, "failing", accept="text/event-stream")).text)

    assert (found[-1][0], found[-1][1]["code"]) == ("failed", "workflow_execution")
    assert found[-2][1]["error"] == "ValueError"


async def test_everything_is_in_the_openapi_document(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()

    OpenAPIV31SpecValidator(document).validate()
    assert {"/workflows/greet/execute", "/workflows/greet/workflow/info", "/jobs/{id}/events"} <= set(document["paths"])


async def test_an_endpoint_of_the_program_stands_before_jobs(app: Nexus, client: httpx.AsyncClient) -> None:
    @app.api_endpoint("/jobs")
    def jobs() -> list[str]:
        return ["gardener"]

    assert (await client.get("/jobs")).json() == ["gardener"]
