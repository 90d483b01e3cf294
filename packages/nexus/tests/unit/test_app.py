"""The front door: cheap to make, any order, served on real sockets."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Unpack

import httpx
import pytest

from kailash.errors import ConfigurationError
from nexus import Nexus
from nexus.call import Call
from nexus.errors import PortTakenError
from nexus.options import Keywords
from nexus.testing import NotesProvider, notes_provider


def served(provider: NotesProvider | None = None, **more: Unpack[Keywords]) -> Nexus:
    keywords = Keywords(api_port=0, mcp_port=None, dataflow_integration=provider or notes_provider())
    keywords.update(more)
    return Nexus(**keywords)


def test_the_ports_answer_when_start_returns_and_no_more_after_stop() -> None:
    with served() as app:
        app.start(blocking=False)
        with httpx.Client(base_url=app.api_url) as client:
            assert client.get("/health/live").json() == {"status": "ok"}
            assert client.post("/api/notes", json={"title": "a"}).status_code == 201
        url = app.api_url
        app.stop()

    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/health/live")


def test_an_application_starts_again_after_a_stop() -> None:
    app = served()
    for _ in range(2):
        app.start(blocking=False)
        assert httpx.get(f"{app.api_url}/api/notes").status_code == 200
        app.stop()
    app.stop()


def test_a_body_of_20_megabytes_is_413_on_a_socket() -> None:
    with served() as app:
        app.start(blocking=False)
        body = b'{"title": "' + b"a" * 20_000_000 + b'"}'
        answer = httpx.post(f"{app.api_url}/api/notes", content=body, headers={"content-type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_port_that_is_taken_is_a_clear_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        with pytest.raises(PortTakenError, match=f"api_port {port}"):
            Nexus(api_port=port, mcp_port=None).start(blocking=False)
        with pytest.raises(PortTakenError, match=f"mcp_port {port}"):
            Nexus(api_port=0, mcp_port=port).start(blocking=False)


def test_a_second_start_is_refused() -> None:
    with served() as app:
        app.start(blocking=False)
        with pytest.raises(ConfigurationError, match="started already"):
            app.start(blocking=False)


async def test_a_blocking_start_inside_a_loop_says_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match="blocking=False"):
        served().start()


def test_the_schema_is_prepared_after_the_port_opened() -> None:
    provider = Slow()
    with served(provider) as app:
        app.start(blocking=False)
        with httpx.Client(base_url=app.api_url) as client:
            provider.begun.wait()
            assert client.get("/health/live").status_code == 200
            assert (client.get("/health/ready").status_code, client.get("/health").json()["status"]) == (
                503,
                "starting",
            )
            answers: list[int] = []
            waiting = threading.Thread(target=lambda: answers.append(httpx.get(f"{app.api_url}/api/notes").status_code))
            waiting.start()
            provider.go_on.set()
            waiting.join()

            assert answers == [200]
            assert client.get("/health/ready").json() == {"ready": True}


def test_a_call_that_waits_too_long_for_the_schema_is_503() -> None:
    provider = Slow()
    with served(provider, ready_timeout=0.01) as app:
        app.start(blocking=False)
        provider.begun.wait()
        answer = httpx.get(f"{app.api_url}/api/notes")
        provider.go_on.set()

    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "not_ready", "1")


class Slow(NotesProvider):
    """A provider whose schema takes as long as the test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go_on = threading.Event(), threading.Event()

    def prepare(self) -> None:
        self.begun.set()
        self.go_on.wait()
        super().prepare()


def test_models_may_come_from_a_thread_while_it_serves() -> None:
    with Nexus(api_port=0, mcp_port=None) as app:
        app.start(blocking=False)
        assert httpx.get(f"{app.api_url}/api/notes").status_code == 404

        thread = threading.Thread(target=lambda: app.add(notes_provider()))
        thread.start()
        thread.join()

        assert httpx.get(f"{app.api_url}/api/notes").status_code == 200


def test_many_applications_live_side_by_side() -> None:
    provider = notes_provider()
    first, second = served(provider), served(provider)
    first.start(blocking=False)
    second.start(blocking=False)
    httpx.post(f"{first.api_url}/api/notes", json={"title": "a"})

    first.stop()

    assert len(httpx.get(f"{second.api_url}/api/notes").json()["items"]) == 1
    second.stop()


async def test_code_in_this_process_asks_the_same_pipeline() -> None:
    app = served()

    outcome = await app.answer(Call("python", "notes.create", {"title": "a"}))

    assert outcome.value["id"] == 1
    assert app.health_check()["running"] is False


PROGRAM = """
import sys
from nexus import Nexus
from nexus.testing import notes_provider

app = Nexus(api_port=0, enable_mcp=False, dataflow_integration=notes_provider())
app.start()
print("ended", flush=True)
"""


@pytest.mark.timeout(240)  # seconds; it starts a program, on a machine that may be busy
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_program_ends_cleanly_on_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    with subprocess.Popen(
        [sys.executable, str(tmp_path / "program.py")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        try:
            assert program.stderr is not None
            url = program.stderr.readline().split()[2]
            assert httpx.get(f"{url}/health/live", timeout=60).status_code == 200

            program.send_signal(number)
            output, errors = program.communicate(timeout=120)
        finally:
            program.kill()

    assert (program.returncode, output.strip(), errors) == (0, "ended", "")


def test_the_older_address_of_the_class_warns_and_works() -> None:
    from nexus import core

    with pytest.warns(DeprecationWarning, match=r"nexus\.Nexus"):
        assert core.Nexus is Nexus


def test_making_one_loads_no_server_and_no_framework() -> None:
    code = (
        "import sys, nexus; nexus.Nexus(); "
        "heavy = 'fastapi starlette uvicorn mcp click pydantic sqlalchemy'.split(); "
        "print([name for name in heavy if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"
